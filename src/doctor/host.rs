//! A host that is there already, this machine or one over SSH: whether it lets us in, its Docker and its disk.

use std::sync::Arc;

use super::Check;
use crate::{
    host::{
        Command, Host,
        engine::{Engine, EngineError},
        prepare,
    },
    limits::Deadline,
    report::Exit,
};

/// Looks at a host that answers. `installs`: install-kind puts Docker there where it is absent.
pub(crate) async fn examine(host: Arc<dyn Host>, installs: bool, deadline: Deadline) -> Vec<Check> {
    let mut checks = Vec::new();
    let name = host.describe();
    let root = host.run(&Command::new("true").root(), deadline).await;
    let root = root.is_ok_and(|output| output.status == 0);
    checks.push(if root {
        Check::ok(format!("root on {name}"), "by sudo, or as it is")
    } else {
        Check::warning(
            format!("root on {name}"),
            "it is not to be had without a password",
        )
        .remedy(
            "without it low limits on watched files stay as they are, and no Docker is installed",
        )
    });
    match Engine::find(Arc::clone(&host), deadline).await {
        Ok(engine) => {
            checks.push(Check::ok(
                format!("Docker on {name}"),
                if engine.root {
                    "it answers to root"
                } else {
                    "it answers"
                },
            ));
            checks.push(match prepare::disk(&engine, deadline).await {
                Ok(()) => Check::ok(format!("disk of Docker on {name}"), "there is room"),
                Err(error) => Check::failed(format!("disk of Docker on {name}"), error),
            });
        }
        Err(EngineError::Absent { .. }) if installs && root => {
            checks.push(Check::ok(
                format!("Docker on {name}"),
                "install-kind installs it",
            ));
        }
        Err(EngineError::Absent { .. }) if installs => {
            let check = Check::missing(
                Exit::Infrastructure,
                format!("Docker on {name}"),
                "there is none, and root cannot be had",
            );
            checks.push(
                check.remedy("install Docker there, or let this user use sudo without a password"),
            );
        }
        Err(error) => checks.push(Check::failed(format!("Docker on {name}"), error)),
    }
    checks
}
