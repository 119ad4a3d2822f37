//! Workflow commands on standard output, escaped as the runner unescapes them.
//!
//! Source of the escapes: `@actions/core`, `command.ts` (`escapeData`, `escapeProperty`).

#![expect(
    clippy::print_stdout,
    reason = "the runner reads commands from standard output"
)]

/// An error annotation.
pub fn error(title: &str, message: &str) {
    println!("::error title={}::{}", property(title), data(message));
}

/// A warning annotation.
pub fn warning(title: &str, message: &str) {
    println!("::warning title={}::{}", property(title), data(message));
}

/// Lines that the log shows folded under a title.
pub fn folded(title: &str, lines: &str) {
    println!(
        "::group::{}\n{}\n::endgroup::",
        data(title),
        harmless(lines)
    );
}

/// Masks a secret in all later output, each of its lines.
pub fn mask(secret: &str) {
    for line in maskable(secret) {
        println!("::add-mask::{}", data(line));
    }
}

/// The lines of a secret that can be masked: of eight characters or more, since shorter ones would garble the log, and
/// without the frame that every key has.
fn maskable(secret: &str) -> impl Iterator<Item = &str> {
    let lines = secret.lines().map(str::trim);
    lines.filter(|line| line.len() >= 8 && !line.starts_with("-----"))
}

/// Text in which a runner finds no command, wherever it came from (`::error::`, `##[error]`).
pub fn harmless(text: &str) -> String {
    // A runner ends a line at a lone carriage return too.
    let text = text.replace("\r\n", "\n");
    let lines = text.trim_end_matches('\n').split(['\n', '\r']).map(|line| {
        let quoted = if line.trim_start().starts_with("::") {
            "| "
        } else {
            ""
        };
        format!("{quoted}{}", line.replace("##[", "# #["))
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_cluster_says_is_no_command_to_the_runner() {
        assert_eq!(
            harmless("a\n  ::set-output name=x::y\n##[error]z"),
            "a\n|   ::set-output name=x::y\n# #[error]z"
        );
        // A lone carriage return ends a line for a runner.
        let text = "a\r::stop-commands::x\r\nb\n";
        assert_eq!(harmless(text), "a\n| ::stop-commands::x\nb");
    }

    #[test]
    fn each_line_of_a_key_is_masked_and_nothing_that_is_no_secret() {
        let key = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjE\nAAAAB3NzaC1yc2E=\r\nshort\n-----END OPENSSH PRIVATE KEY-----\n";
        let masked: Vec<&str> = maskable(key).collect();
        assert_eq!(masked, ["b3BlbnNzaC1rZXktdjE", "AAAAB3NzaC1yc2E="]);
    }

    #[test]
    fn text_cannot_end_a_command() {
        assert_eq!(data("50%\r\n::error::x"), "50%25%0D%0A::error::x");
        assert_eq!(property("a:b,c"), "a%3Ab%2Cc");
    }
}
