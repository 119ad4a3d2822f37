//! Signals, one command, its exit code.

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use manifests_e2e::{
    cancel::{Answer, Cancel},
    cli::{Cli, Command},
    inputs::{self, Environment},
    notebook::runner::hold::hold,
    report::{self, Exit, Failure},
    stages,
};
use rustix::{fs::Mode, process::umask};
use tokio::signal::unix::{SignalKind, signal};

#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // What is made here is nobody else's to change, whatever the caller's mask.
    let mask = umask(Mode::RWXG | Mode::RWXO);
    umask(mask | Mode::WGRP | Mode::WOTH);
    let env = Environment::of_process();
    let cli = match arguments(&env) {
        Ok(cli) => cli,
        Err(exit) => return ExitCode::from(exit),
    };
    rustls::crypto::ring::default_provider()
        .install_default()
        .expect("no provider is installed before main");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime needs only threads");
    if let Command::Hold(args) = &cli.command {
        // Its exit code is that of a test.
        return ExitCode::from(runtime.block_on(hold(args, &env)));
    }
    let exit = runtime.block_on(carry_out(cli, env));
    // What still runs in the background must not hold the step back.
    runtime.shutdown_background();
    ExitCode::from(exit.code())
}

/// The command as typed and as the environment sets it; else what clap has to say was said.
fn arguments(env: &Environment) -> Result<Cli, u8> {
    let typed = std::env::args_os().collect();
    let stage = |words: &[std::ffi::OsString]| {
        stages::Stage::ALL
            .into_iter()
            .find(|stage| words.iter().any(|word| word == stage.name()))
    };
    let words = inputs::gather(typed, &Cli::command(), env).map_err(|error| {
        let failure = Failure::new(Exit::BadInput, error.to_string());
        stages::refuse(None, &failure, env);
        failure.exit.code()
    })?;
    Cli::try_parse_from(&words).map_err(|error| {
        if !error.use_stderr() {
            // Help and version; a closed pipe is the reader's business.
            drop(error.print());
            return 0;
        }
        if words.get(1).is_some_and(|word| word == "run") {
            stages::run::nothing_begun(env);
        }
        stages::refuse(stage(&words), &report::bad_input(&error), env);
        Exit::BadInput.code()
    })
}

async fn carry_out(cli: Cli, env: Environment) -> Exit {
    let cancelled = Cancel::default();
    tokio::spawn(watch_signals(cancelled.clone()));
    stages::start(cli.command, env, cancelled).await
}

#[expect(clippy::exit, reason = "the second signal means now")]
async fn watch_signals(cancelled: Cancel) {
    let stream = |kind| signal(kind).expect("these signals can be caught");
    let mut interrupt = stream(SignalKind::interrupt());
    let mut terminate = stream(SignalKind::terminate());
    let mut hangup = stream(SignalKind::hangup());
    loop {
        let name = tokio::select! {
            _ = interrupt.recv() => "SIGINT",
            _ = terminate.recv() => "SIGTERM",
            _ = hangup.recv() => "SIGHUP",
        };
        match cancelled.signal() {
            Answer::Cancels => tracing::warn!("{name}: cancelling; a second signal exits at once"),
            Answer::GoesOn(shielded) => tracing::warn!(
                "{name}: {}; a second signal exits at once: {}",
                shielded.goes_on,
                shielded.at_stake
            ),
            Answer::Exits => std::process::exit(i32::from(Exit::Cancelled.code())),
        }
    }
}
