//! A host made fit for a cluster: first boot over, Docker there, kernel limits raised, room on the disk.

use std::sync::Arc;

use super::{
    Command, Host, HostError, check,
    engine::{Engine, EngineError},
};
use crate::{
    cli::Arch,
    limits::Deadline,
    report::{Exit, Explain},
};

/// Below this a deployment of any size fails halfway, with errors that do not name the disk.
const MIN_DISK_GIB: u64 = 5;
/// What a whole Kubeflow with its images takes.
const GOOD_DISK_GIB: u64 = 20;

/// What a host says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// Of its processor.
    pub(crate) arch: Arch,
    /// Home directory of the user.
    pub(crate) home: String,
}

/// Why a host is not fit.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PrepareError {
    /// No room for images.
    #[error(
        "only {free} GiB are free on {host} where Docker keeps its data ({path}); a cluster needs {MIN_DISK_GIB}"
    )]
    Disk {
        /// Which host.
        host: String,
        /// In GiB.
        free: u64,
        /// Docker's data root.
        path: String,
    },
    /// A processor that nothing here is built for.
    #[error("{host} is {machine}, neither x86_64 nor aarch64")]
    Machine {
        /// Which host.
        host: String,
        /// As `uname -m` says.
        machine: String,
    },
    /// Docker.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The host failed.
    #[error(transparent)]
    Host(#[from] HostError),
}

impl Explain for PrepareError {
    fn exit(&self) -> Exit {
        match self {
            Self::Disk { .. } | Self::Machine { .. } => Exit::Infrastructure,
            Self::Engine(error) => error.exit(),
            Self::Host(error) => error.exit(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Disk { .. } => {
                Some("`docker system prune -a` frees some; on EC2 raise disk-gib".to_owned())
            }
            Self::Machine { .. } => Some("use another host".to_owned()),
            Self::Engine(error) => error.hint(),
            Self::Host(error) => error.hint(),
        }
    }

    fn details(&self) -> Vec<String> {
        match self {
            Self::Host(error) | Self::Engine(EngineError::Host(error)) => error.details(),
            _ => Vec::new(),
        }
    }
}

/// Processor and home directory.
///
/// # Errors
/// [`PrepareError::Machine`].
pub(crate) async fn facts(host: &dyn Host, deadline: Deadline) -> Result<Facts, PrepareError> {
    let ask = Command::new("uname -m; echo \"$HOME\"").repeatable();
    let output = check(host, "look around", &ask, deadline).await?.stdout;
    let mut lines = output.lines();
    let arch = match lines.next().unwrap_or_default() {
        "x86_64" => Arch::Amd64,
        "aarch64" => Arch::Arm64,
        machine => {
            return Err(PrepareError::Machine {
                host: host.describe(),
                machine: machine.to_owned(),
            });
        }
    };
    Ok(Facts {
        arch,
        home: lines.next().unwrap_or("/root").to_owned(),
    })
}

/// Waits until the first boot of a fresh machine is over: until then cloud-init and apt are at work.
///
/// # Errors
/// [`PrepareError::Host`].
pub(crate) async fn first_boot(host: &dyn Host, deadline: Deadline) -> Result<(), PrepareError> {
    let wait = Command::new(
        "command -v cloud-init >/dev/null || exit 0; cloud-init status --wait >/dev/null 2>&1; s=$?; [ $s = 0 ] || cloud-init status --long; exit $s",
    )
    .detached("first-boot");
    match check(host, "wait for cloud-init", &wait, deadline).await {
        Ok(_) => Ok(()),
        // 2 is a boot with warnings; a real fault of it shows in what comes next.
        Err(HostError::Failed { output, .. }) => {
            tracing::warn!(
                "cloud-init on {}: {}",
                host.describe(),
                output.replace('\n', "; ")
            );
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// Docker on the host; installed from the distribution where `install` allows and it is absent.
///
/// # Errors
/// [`PrepareError::Engine`]; [`PrepareError::Host`] when apt fails.
pub(crate) async fn docker(
    host: &Arc<dyn Host>,
    install: bool,
    deadline: Deadline,
) -> Result<Engine, PrepareError> {
    match Engine::find(Arc::clone(host), deadline).await {
        Err(EngineError::Absent { .. }) if install => {}
        found => return Ok(found?),
    }
    tracing::info!("installing Docker on {}", host.describe());
    // Other apts of a young machine hold locks: the lists' lock has no time limit of its own, hence the loop.
    let script = "export DEBIAN_FRONTEND=noninteractive\n\
        for _ in 1 2 3 4 5 6 7 8 9 10; do apt-get -q update && break; sleep 6; done\n\
        exec apt-get -q install -y --no-install-recommends -o DPkg::Lock::Timeout=300 docker.io iptables </dev/null";
    let command = Command::new(script).root().detached("install-docker");
    check(&**host, "install Docker", &command, deadline).await?;
    Ok(Engine::find(Arc::clone(host), deadline).await?)
}

/// Raises the kernel's limits on watched files, never lowers them. What cannot be raised is a warning.
///
/// # Errors
/// [`PrepareError::Host`].
pub(crate) async fn limits(host: &dyn Host, deadline: Deadline) -> Result<(), PrepareError> {
    let script = "cd /proc/sys/fs/inotify && raise() { [ \"$(cat $1)\" -ge $2 ] || echo $2 >$1; }\n\
        raise max_user_instances 2280 && raise max_user_watches 1255360";
    let look = Command::new(script).repeatable();
    if host.run(&look, deadline).await?.status == 0 {
        return Ok(());
    }
    if host.run(&look.root(), deadline).await?.status != 0 {
        tracing::warn!(
            "the limits on watched files of {} are low, and only root can raise them: \
             `sudo sysctl fs.inotify.max_user_instances=2280 fs.inotify.max_user_watches=1255360`",
            host.describe()
        );
    }
    Ok(())
}

/// Room for images where Docker keeps them.
///
/// # Errors
/// [`PrepareError::Disk`] below 5 GiB; a warning below 20.
pub(crate) async fn disk(engine: &Engine, deadline: Deadline) -> Result<(), PrepareError> {
    let script = "d=$(docker info -f '{{.DockerRootDir}}') && { df -Pk \"$d\" || df -Pk /; } | tail -1; echo \"$d\"";
    let output = engine.ask("look at the disk", script, deadline).await?;
    let mut lines = output.lines();
    let free = lines
        .next()
        .and_then(|line| line.split_whitespace().nth(3)?.parse::<u64>().ok());
    let Some(free) = free.map(|kib| kib >> 20) else {
        tracing::warn!("how much room Docker has cannot be told: {output}");
        return Ok(());
    };
    let host = engine.host.describe();
    if free < MIN_DISK_GIB {
        return Err(PrepareError::Disk {
            host,
            free,
            path: lines.next().unwrap_or_default().to_owned(),
        });
    }
    if free < GOOD_DISK_GIB {
        tracing::warn!("{free} GiB are free on {host}; a whole Kubeflow takes {GOOD_DISK_GIB}");
    }
    Ok(())
}
