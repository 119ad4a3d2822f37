//! The machine that the stages run on: room for what they write, the programs that they use.

use std::{path::Path, time::Duration};

use tokio::process::Command;

use super::Check;
use crate::{
    cli::Arch,
    inputs::Environment,
    limits::Deadline,
    record::Store,
    report::Exit,
    tools::{self, Tool, ToolRequest, versions},
};

/// Below this not even a bundle fits.
const MIN_ROOM: u64 = 512 << 20;
/// Tools, bundle and the copies that are made of it.
const GOOD_ROOM: u64 = 2 << 30;

/// Looks at the disk and at kind, kustomize and kubectl. `host` is what the host runs on, where that is known.
pub(crate) async fn examine(
    host: Arch,
    tools_dir: Option<&Path>,
    env: &Environment,
    store: &Store,
    deadline: Deadline,
) -> Vec<Check> {
    let tool = async |tool, arch| {
        let wanted = ToolRequest {
            tool,
            version: None,
            arch,
            tools_dir,
        };
        match tools::look(wanted, env, store, deadline).await {
            Ok(found) => Check::ok(tool.name(), found),
            Err(error) => Check::failed(tool.name(), error),
        }
    };
    let (kind, kustomize, kubectl) = tokio::join!(
        tool(Tool::Kind, host),
        tool(Tool::Kustomize, tools::this_arch()),
        kubectl(env)
    );
    vec![room(store.dir()), kind, kustomize, kubectl]
}

fn room(dir: &Path) -> Check {
    let what = format!("room in {}", dir.display());
    let free = match rustix::fs::statvfs(dir) {
        Ok(about) => about.f_bavail.saturating_mul(about.f_frsize),
        Err(error) => return Check::warning(what, format!("it cannot be told: {error}")),
    };
    let found = format!("{:.1} GiB are free", Gib(free));
    let remedy = "free some, or set RUNNER_TEMP (XDG_STATE_HOME on a laptop) to another disk";
    match free {
        ..MIN_ROOM => Check::missing(Exit::Infrastructure, what, found).remedy(remedy),
        MIN_ROOM..GOOD_ROOM => Check::warning(what, found).remedy(remedy),
        _ => Check::ok(what, found),
    }
}

/// Bytes, shown in GiB.
struct Gib(u64);

impl std::fmt::Display for Gib {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tenths = self.0 / (1 << 30) * 10 + self.0 % (1 << 30) * 10 / (1 << 30);
        write!(f, "{}.{}", tenths / 10, tenths % 10)
    }
}

/// The stages need none: the user's own steps may.
async fn kubectl(env: &Environment) -> Check {
    let asked = Command::new("kubectl")
        .args(["version", "--client", "-o", "json"])
        .env_clear()
        .envs(env.for_programs())
        .kill_on_drop(true)
        .output();
    let said = tokio::time::timeout(Duration::from_secs(10), asked).await;
    let Ok(Ok(output)) = said else {
        return Check::warning("kubectl", "there is none on PATH; the stages need none")
            .remedy("install it for steps of your own that speak to the cluster");
    };
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let Some(version) = told["clientVersion"]["gitVersion"].as_str() else {
        return Check::warning("kubectl", "it does not tell its version");
    };
    let usual = versions::KUBERNETES;
    // kubectl is supported one minor version to either side of the server.
    match (minor(version), minor(usual)) {
        (Some(own), Some(other)) if own.abs_diff(other) <= 1 => Check::ok("kubectl", version),
        _ => Check::warning(
            "kubectl",
            format!("{version} is far from {usual}, which a cluster gets by default"),
        )
        .remedy(
            "install one within a minor version of it for steps of your own; the stages need none",
        ),
    }
}

fn minor(version: &str) -> Option<u32> {
    version.split('.').nth(1)?.parse().ok()
}
