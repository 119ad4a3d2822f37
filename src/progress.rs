//! Progress lines as people read them: a clock where the runner prints none, no module paths, warnings marked.

use std::fmt;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::{
    EnvFilter,
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

use crate::{cli::LogLevel, inputs::Environment};

/// Sends what the rooms say to standard error, from now on.
pub fn start(level: LogLevel, env: &Environment) {
    let filter = match level {
        // kube calls each refusal an error; what it means is for the rooms to say.
        LogLevel::Warn => "warn,kube_client=off,kube_runtime=off",
        LogLevel::Info => "error,kube_client=off,kube_runtime=off,manifests_e2e=info",
        LogLevel::Debug => "info,manifests_e2e=debug,kube=debug,aws_smithy_runtime=info",
    };
    let started = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .event_format(Line {
            clock: !env.on_runner(),
        })
        .try_init();
    // A second start, in a test, keeps the first.
    drop(started);
}

struct Line {
    clock: bool,
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if self.clock {
            write!(writer, "{} ", jiff::Zoned::now().strftime("%H:%M:%S"))?;
        }
        match *event.metadata().level() {
            Level::ERROR => write!(writer, "error: ")?,
            Level::WARN => write!(writer, "warning: ")?,
            _ => {}
        }
        let mut text = String::new();
        context.format_fields(Writer::new(&mut text), event)?;
        writeln!(
            writer,
            "{}",
            if self.clock { text } else { harmless(&text) }
        )
    }
}

/// Text in which a runner finds no workflow command, wherever it came from (`::error::`, `##[error]`).
fn harmless(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let quoted = if line.trim_start().starts_with("::") {
            "| "
        } else {
            ""
        };
        format!("{quoted}{}", line.replace("##[", "# #["))
    });
    lines.collect::<Vec<_>>().join("\n")
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
    }
}
