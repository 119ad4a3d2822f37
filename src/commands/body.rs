//! The commands in the text of a comment, as a reader of the rendered comment would see them: a line of its own, not in code,
//! not in a quote, not in what nobody sees.

/// What somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// Run these jobs, or all; on this commit, where it is named.
    Test {
        jobs: Vec<String>,
        sha: Option<String>,
    },
    /// Run again what is red.
    Retest { sha: Option<String> },
    /// Hold the merge, or no longer.
    Hold(bool),
}

/// The commands of a comment in order, and what is wrong with those that are none.
pub(super) fn read(body: &str) -> Vec<Result<Command, String>> {
    visible(body)
        .iter()
        .filter_map(|line| command(line))
        .collect()
}

fn command(line: &str) -> Option<Result<Command, String>> {
    let mut words = line.split_whitespace();
    let name = words.next()?;
    if !matches!(name, "/test" | "/retest" | "/ok-to-test" | "/hold") {
        return None;
    }
    if name == "/hold" {
        return Some(Ok(Command::Hold(words.next() != Some("cancel"))));
    }
    let (mut jobs, mut sha) = (Vec::new(), None);
    for word in words {
        match word.strip_prefix("sha=") {
            Some(named) if is_commit(named) => sha = Some(named.to_ascii_lowercase()),
            Some(_) => {
                let reason = format!("`{name}`: a commit is named by its whole SHA");
                return Some(Err(reason));
            }
            None if is_name(word) => jobs.push(word.to_owned()),
            None => {
                return Some(Err(format!(
                    "`{name}` is followed by what is no name of a job"
                )));
            }
        }
    }
    Some(match (name, jobs.is_empty(), &sha) {
        ("/test", ..) | ("/ok-to-test", true, Some(_)) => Ok(Command::Test { jobs, sha }),
        ("/retest", true, _) => Ok(Command::Retest { sha }),
        ("/ok-to-test", ..) => {
            Err("`/ok-to-test` names the commit that was read and nothing else: `/ok-to-test sha=<head>`".to_owned())
        }
        _ => Err("`/retest` runs what is red, and takes no names".to_owned()),
    })
}

fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What a job may be called that a comment names.
pub fn is_name(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
    !text.is_empty() && text.len() <= 100 && text.chars().all(is_plain)
}

/// The lines that begin with `/` and mean it. Where Markdown leaves a doubt, a line does not count.
fn visible(body: &str) -> Vec<String> {
    let body = body.replace("\r\n", "\n").replace('\r', "\n");
    let mut found = Vec::new();
    let (mut fence, mut hidden) = (None::<(char, usize)>, None::<&str>);
    // Of the paragraph so far: whether it is quoted, and whether code has begun in it.
    let (mut quoted, mut in_code) = (false, false);
    for line in body.lines() {
        let trimmed = line.trim();
        if let Some((c, length)) = fence {
            let closes = trimmed.len() >= length && trimmed.chars().all(|it| it == c);
            fence = fence.filter(|_| !closes);
            continue;
        }
        if let Some(end) = hidden {
            hidden = hidden.filter(|_| !line.to_ascii_lowercase().contains(end));
            continue;
        }
        if trimmed.is_empty() {
            (quoted, in_code) = (false, false);
            continue;
        }
        fence = opening(trimmed);
        if fence.is_some() {
            continue;
        }
        quoted |= without_bullets(trimmed).starts_with('>');
        hidden = hiding(line);
        if line.starts_with('/') && !quoted && !in_code && hidden.is_none() {
            found.push(line.to_owned());
        }
        in_code ^= runs_of_backticks(line) % 2 == 1;
    }
    found
}

/// The fence of a block of code: its character, and how often it has to be there again.
fn opening(trimmed: &str) -> Option<(char, usize)> {
    let c = trimmed.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let length = trimmed.chars().take_while(|it| *it == c).count();
    let is_span = c == '`' && trimmed[length..].contains('`');
    (length >= 3 && !is_span).then_some((c, length))
}

/// By what the part of HTML ends that begins in a line, and in which nobody sees a command.
fn hiding(line: &str) -> Option<&'static str> {
    const PARTS: [(&str, &str); 6] = [
        ("<!--", "-->"),
        ("<pre", "</pre"),
        ("<code", "</code"),
        ("<blockquote", "</blockquote"),
        ("<script", "</script"),
        ("<textarea", "</textarea"),
    ];
    let line = line.to_ascii_lowercase();
    let begins = PARTS.iter().find(|(begin, end)| {
        line.rfind(begin)
            .is_some_and(|at| !line[at..].contains(end))
    });
    begins.map(|(_, end)| *end)
}

/// A line without what makes it an item of a list.
fn without_bullets(line: &str) -> &str {
    let mut rest = line.trim_start();
    loop {
        let digits = rest.chars().take_while(char::is_ascii_digit).count();
        let after = match rest[digits..].chars().next() {
            Some('-' | '*' | '+') if digits == 0 => &rest[1..],
            Some('.' | ')') if digits > 0 => &rest[digits + 1..],
            _ => return rest,
        };
        if !after.starts_with(' ') {
            return rest;
        }
        rest = after.trim_start();
    }
}

fn runs_of_backticks(line: &str) -> usize {
    line.split(|c| c != '`')
        .filter(|run| !run.is_empty())
        .count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SHA: &str = "1234567890abcdef1234567890abcdef12345678";

    fn all() -> Command {
        Command::Test {
            jobs: Vec::new(),
            sha: None,
        }
    }

    #[test]
    fn commands_are_read() {
        let test = |jobs: &[&str], sha: Option<&str>| {
            Ok(Command::Test {
                jobs: jobs.iter().map(|job| (*job).to_owned()).collect(),
                sha: sha.map(str::to_owned),
            })
        };
        for (body, expected) in [
            ("/test", test(&[], None)),
            (
                "Thanks!\r\n/test e2e apps/jupyter \r\n",
                test(&["e2e", "apps/jupyter"], None),
            ),
            ("/retest", Ok(Command::Retest { sha: None })),
            ("/hold", Ok(Command::Hold(true))),
            ("/hold until Monday", Ok(Command::Hold(true))),
            ("/hold cancel", Ok(Command::Hold(false))),
        ] {
            assert_eq!(read(body), [expected], "{body}");
        }
        let named = format!("/ok-to-test sha={}", SHA.to_uppercase());
        assert_eq!(read(&named), [test(&[], Some(SHA))]);
        assert_eq!(
            read(&format!("/test e2e sha={SHA}")),
            [test(&["e2e"], Some(SHA))]
        );
        assert_eq!(read("/test a\n\n/hold").len(), 2);
        for none in [
            "",
            "please /test",
            " /test",
            "/tested",
            "/lgtm\n/approve",
            "- /test",
            "//test",
        ] {
            assert_eq!(read(none), [], "{none}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_command_is_said() {
        for (body, part) in [
            ("/ok-to-test", "sha=<head>"),
            ("/ok-to-test sha=1234567", "whole SHA"),
            (
                "/ok-to-test all sha=1234567890abcdef1234567890abcdef12345678",
                "nothing else",
            ),
            ("/test $(touch pwned)", "no name of a job"),
            ("/retest e2e", "takes no names"),
        ] {
            let read = read(body);
            let [Err(reason)] = read.as_slice() else {
                panic!("{body}: {read:?}");
            };
            assert!(
                reason.contains(part) && !reason.contains("touch"),
                "{reason}"
            );
        }
    }

    #[test]
    fn code_quotes_and_what_nobody_sees_ask_for_nothing() {
        for body in [
            "```\n/test\n```",
            "```sh\n/test",
            "~~~~\n/test\n~~~\n/test\n~~~~",
            "````\n```\n/test\n````",
            "> /test",
            "> he said\n/test",
            "- > he said\n/test",
            "1. > he said\n/test",
            "    /test",
            "\t/test",
            "<!--\n/test\n-->",
            "<!-- a --> <!-- b\n/test\n-->",
            "<pre>\n/test\n</pre>",
            "<PRE>\n\n/test\n</PRE>",
            "<blockquote>\n\n/test\n\n</blockquote>",
            "`a\n/test\nb`",
        ] {
            assert_eq!(read(body), [], "{body}");
        }
        for body in [
            "```\nx\n```\n/test",
            "> quote\n\n/test",
            "<!-- a -->\n/test",
            "`a` b\n/test",
            "```a``` b\n/test",
            "a\r/test",
        ] {
            assert_eq!(read(body), [Ok(all())], "{body}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_reader(body in "(?s)[`~>/ \n\r<!\\-a-z]{0,60}") {
            read(&body);
        }

        #[test]
        fn nothing_in_a_block_of_code_is_read(inside in "[/a-z >\n]{0,40}", length in 3_usize..6) {
            let fence = "`".repeat(length);
            prop_assert_eq!(read(&format!("{fence}\n{inside}\n/test\n{fence}")), []);
        }
    }
}
