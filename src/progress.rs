//! Progress as people read it: lines with a clock where the runner prints none, no module paths, warnings marked; a bar
//! below them on a terminal.

use std::{fmt, io, sync::LazyLock};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::{
    EnvFilter,
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

use crate::{cli::LogLevel, github::commands::harmless, inputs::Environment};

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
        .with_writer(|| Above)
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

/// How far long work is: a bar on a terminal, below the lines; nothing elsewhere, where the lines have to do.
#[derive(Debug)]
pub struct Bar(ProgressBar);

impl Bar {
    /// A bar for so many steps; it goes away with this.
    pub fn new(steps: usize) -> Self {
        let style = ProgressStyle::with_template("{elapsed:>4} {bar:24} {pos}/{len} {wide_msg}");
        let bar = ProgressBar::new(steps as u64)
            .with_style(style.expect("this template is one that the tests have seen"));
        Self(BARS.add(bar))
    }

    /// So many are done; in words.
    pub fn set(&self, done: usize, words: &str) {
        if !self.0.is_hidden() {
            self.0.set_position(done as u64);
            self.0.set_message(words.to_owned());
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// The bars there are; each is drawn on standard error where that is a terminal.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// Standard error above the bars.
struct Above;

impl io::Write for Above {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        BARS.suspend(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_that_nobody_sees_is_no_trouble() {
        let bar = Bar::new(3);
        bar.set(2, "two of three");
    }
}
