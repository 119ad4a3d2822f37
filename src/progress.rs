//! Progress as people read it: lines with a clock where the runner prints none, no module paths, warnings marked; a bar
//! below them on a terminal. The same lines, all with a clock, are kept in the job's directory for `gather-logs`.

use std::{
    fmt,
    fs::File,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::{LazyLock, Mutex, OnceLock, PoisonError},
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::{
    EnvFilter,
    fmt::{self as lines, FmtContext, FormatEvent, FormatFields, format::Writer},
    layer::SubscriberExt as _,
    registry::LookupSpan,
    util::SubscriberInitExt as _,
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
    let shown = lines::layer().with_writer(|| Above).event_format(Line {
        clock: !env.on_runner(),
    });
    let kept = lines::layer()
        .with_ansi(false)
        .with_writer(|| Kept)
        .event_format(Line { clock: true });
    let started = tracing_subscriber::registry()
        .with(EnvFilter::new(filter))
        .with(shown)
        .with(kept)
        .try_init();
    // A second start, in a test, keeps the first.
    drop(started);
}

/// The file of what the stages of a job have said, in its directory.
pub const LOG: &str = "build.log";

static KEPT: OnceLock<Mutex<File>> = OnceLock::new();

/// Keeps what is said from now on in a directory; the log of the job's earlier stages goes on where `goes_on`.
///
/// # Errors
/// Why it cannot be kept.
pub fn keep(directory: &Path, goes_on: bool) -> io::Result<()> {
    let file = File::options()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(directory.join(LOG))?;
    if !goes_on {
        file.set_len(0)?;
    }
    // A second one, in a test, keeps the first.
    drop(KEPT.set(Mutex::new(file)));
    Ok(())
}

/// Adds to what is kept what was printed past the log.
pub fn note(text: &str) {
    drop(Kept.write_all(text.as_bytes()));
}

/// The file of what was said, where there is one. A disk that is full costs these lines and nothing else.
struct Kept;

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(file) = KEPT.get() {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            drop(file.write_all(bytes));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
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
