//! Waits until a launched instance is ready: it has an address, SSH answers with the known host key, its TTL timer runs.

use std::{convert::Infallible, time::Duration};

use aws_sdk_ec2::{
    Client,
    types::{Instance, InstanceMetadataEndpointState, InstanceStateName},
};

use tokio::time::Instant;

use super::{
    cloud_init::USER,
    console::last_lines,
    request::{LOGIN_KEY, LaunchRequest},
    search::LaunchedInstance,
    spec::LaunchSpec,
};
use crate::{
    cli::PublicIp,
    host::{Command, Host as _, HostError, ssh::SshHost},
    inputs::Environment,
    limits::{Deadline, humane},
    provider::ec2::{
        TTL_TIMER, VISIBILITY_DELAY,
        access::{self, Access},
        errors::{Ec2Error, ask},
    },
    record::{HostKind, HostRecord, Store},
    report::Failure,
    wait::{self, Every, Status, WaitError},
};

/// Exit code of our script when the timer does not run.
const NO_TIMER: i32 = 9;
/// How long a host may be silent before it is reported, while it is waited for. A probe takes up to 3 s.
const SILENCE: Duration = Duration::from_secs(20);
/// The pause between two probes.
const PROBE_PAUSE: Duration = Duration::from_secs(3);
/// How the failure of a host ends that was silent.
const NO_ANSWER: &str = ": no answer";

/// Why a host did not become ready.
pub(crate) enum StartFailure {
    /// It ended by itself: [`Ec2Error::Died`].
    Died(Ec2Error),
    /// Anything else.
    Other(Failure),
}

impl From<Ec2Error> for StartFailure {
    fn from(error: Ec2Error) -> Self {
        match error {
            Ec2Error::Died { .. } => Self::Died(error),
            error => Self::Other(error.into()),
        }
    }
}

impl From<HostError> for StartFailure {
    fn from(error: HostError) -> Self {
        Self::Other(error.into())
    }
}

impl From<StartFailure> for Failure {
    fn from(trouble: StartFailure) -> Self {
        match trouble {
            StartFailure::Died(error) => error.into(),
            StartFailure::Other(failure) => failure,
        }
    }
}

/// Waits until an instance answers, and records how to reach it.
pub(crate) async fn up(
    launch: &LaunchRequest<'_>,
    launched: &LaunchedInstance,
    store: &mut Store,
    access: &Access,
    deadline: Deadline,
) -> Result<HostRecord, StartFailure> {
    let (id, subnet) = (launched.id.as_str(), &launched.candidate.subnet);
    let public = match launch.spec.public_ip {
        PublicIp::Subnet => subnet.public || launch.spec.subnets.is_empty(),
        asked => asked == PublicIp::Yes,
    };
    let address = address(launch.ec2, launch.spec, id, public, deadline).await?;
    let silent = silence(&address, (!public).then_some(&*subnet.id), access.env());
    let host = HostRecord {
        kind: HostKind::Ssh,
        address,
        port: 22,
        user: USER.to_owned(),
        private_key: Some(store.path(LOGIN_KEY)),
        host_key: Some(launch.session.keys.host_public.clone()),
    };
    store
        .update(|record| record.host = Some(host.clone()))
        .map_err(|error| StartFailure::Other(error.into()))?;
    let ssh = SshHost::new(&host, access.env())?;
    tokio::select! {
        settled = settle(launch.ec2, &launch.spec.region, id, &ssh, deadline) => {
            settled.map_err(|trouble| explained(trouble, &silent))?;
        }
        never = access::keep_authorized(store, access, &host, deadline) => match never {},
        never = warn_of_silence(|| access::is_silent(&host), || tracing::warn!("{silent}")) => match never {},
    }
    Ok(host)
}

/// Why a host may be silent whose boot is over.
///
/// `private`: the subnet that it has no public address from.
fn silence(address: &str, private: Option<&str>, env: &Environment) -> String {
    let why = match (private, env.https_proxy()) {
        (Some(subnet), _) => format!(
            "that is an address of the VPC, since {subnet} gives no public one; if this machine is elsewhere, set \
             `public-ip` to yes"
        ),
        (None, Some((proxy, _))) => format!(
            "{proxy} is set, and SSH takes no proxy: this machine needs a way of its own to port 22"
        ),
        (None, None) => {
            "it may be booting; else a firewall of this network lets no SSH out, or `ssh-cidr` is not the address that this \
             machine comes from"
                .to_owned()
        }
    };
    format!("port 22 of {address} does not answer: {why}")
}

/// The failure of a host that was silent to the end, with the reason that it may have.
fn explained(trouble: StartFailure, silent: &str) -> StartFailure {
    match trouble {
        StartFailure::Other(failure) if failure.line().ends_with(NO_ANSWER) => {
            StartFailure::Other(failure.hint(silent))
        }
        trouble => trouble,
    }
}

/// Says once that nothing has answered for so long that a boot is hardly the reason; never returns.
async fn warn_of_silence<F: Future<Output = bool>>(
    is_silent: impl Fn() -> F,
    warn: impl FnOnce(),
) -> Infallible {
    let began = Instant::now();
    while is_silent().await {
        if began.elapsed() >= SILENCE {
            warn();
            break;
        }
        wait::pause(PROBE_PAUSE).await;
    }
    std::future::pending().await
}

/// Waits until the instance has an address to connect to.
async fn address(
    ec2: &Client,
    spec: &LaunchSpec,
    id: &str,
    public: bool,
    deadline: Deadline,
) -> Result<String, Ec2Error> {
    let known = deadline.within(VISIBILITY_DELAY);
    let what = format!("the address of {id}");
    wait::until(what, deadline, Every::millis(300), async || {
        let instance = match describe(ec2, &spec.region, id, deadline).await {
            Err(error) if passing(&error, known) => return Ok(Status::NotYet(error.to_string())),
            answer => answer?,
        };
        alive(&spec.region, &instance)?;
        if let Some(address) = instance.public_ip_address() {
            return Ok(Status::Ready(address.to_owned()));
        }
        // One that is to come may be listed some seconds after the instance runs.
        let private = instance.private_ip_address();
        match private.filter(|_| !public && state(&instance) == "running") {
            Some(address) => Ok(Status::Ready(address.to_owned())),
            None => Ok(Status::NotYet(format!(
                "{}, no public address",
                state(&instance)
            ))),
        }
    })
    .await
    .map_err(Ec2Error::waited)
}

/// Waits until SSH answers; then makes sure that the host will end by itself, and closes what it no longer needs.
///
/// Cloud-init is waited for here and not by whoever installs something: only afterwards may the metadata service, which
/// shows user data (and so the host's key) to anyone on the host, be closed. Cloud-init is then switched off, since
/// without that service it would take a reboot for a new instance and make new host keys.
async fn settle(
    ec2: &Client,
    region: &str,
    id: &str,
    ssh: &SshHost,
    deadline: Deadline,
) -> Result<(), StartFailure> {
    tokio::select! {
        up = ssh.wait_until_up(deadline) => if let Err(error) = up {
            let mut failure = Failure::from(error);
            failure.details.extend(last_lines(ec2, region, id).await);
            return Err(StartFailure::Other(failure));
        },
        died = death(ec2, region, id, deadline) => return Err(died.into()),
    }
    tracing::info!(
        "SSH answers on {} after {}",
        ssh.describe(),
        humane(deadline.elapsed())
    );
    let script = format!(
        "state=unknown
for _ in $(seq 100); do
  state=$(systemctl is-active {TTL_TIMER} || true)
  [ \"$state\" != active ] || break
  sleep 0.2
done
[ \"$state\" = active ] || {{ echo \"$state\"; exit {NO_TIMER}; }}
cloud-init status --wait >/dev/null; echo \"$?\"
touch /etc/cloud/cloud-init.disabled"
    );
    let done = ssh
        .run(&Command::new(script).root().repeatable(), deadline)
        .await?;
    let said = done.stdout.trim();
    match done.status {
        0 if said == "0" => {}
        0 => tracing::warn!(
            "cloud-init ended with exit code {said}: see `cloud-init status --long` on the host"
        ),
        NO_TIMER => {
            return Err(Ec2Error::NoTimer {
                id: id.to_owned(),
                state: said.to_owned(),
            }
            .into());
        }
        status => {
            return Err(HostError::Failed {
                host: ssh.describe(),
                what: "the end of cloud-init".to_owned(),
                status,
                output: done.stderr,
            }
            .into());
        }
    }
    close_metadata(ec2, region, id, deadline).await?;
    Ok(())
}

async fn close_metadata(
    ec2: &Client,
    region: &str,
    id: &str,
    deadline: Deadline,
) -> Result<(), Ec2Error> {
    let known = deadline.within(VISIBILITY_DELAY);
    let request = ec2
        .modify_instance_metadata_options()
        .instance_id(id)
        .http_endpoint(InstanceMetadataEndpointState::Disabled);
    let what = format!("the end of {id}'s metadata service");
    wait::until(what, deadline, Every::secs(1), async || {
        let sent = request.clone().send();
        match ask("ModifyInstanceMetadataOptions", region, deadline, sent).await {
            Err(error) if passing(&error, known) => Ok(Status::NotYet(error.to_string())),
            answer => answer.map(|_| Status::Ready(())),
        }
    })
    .await
    .map_err(Ec2Error::waited)
}

/// Whether a retry may succeed: the error may pass, or the instance is too new to be visible everywhere.
fn passing(error: &Ec2Error, known: Deadline) -> bool {
    error.is_passing() || error.code() == "InvalidInstanceID.NotFound" && !known.passed()
}

/// Returns only when the instance has ended, or cannot be described any more.
async fn death(ec2: &Client, region: &str, id: &str, deadline: Deadline) -> Ec2Error {
    let known = deadline.within(VISIBILITY_DELAY);
    let what = format!("{id} to stay alive");
    let watch = wait::until(what, deadline, Every::secs(5), async || {
        let instance = match describe(ec2, region, id, deadline).await {
            Err(error) if passing(&error, known) => return Ok(Status::NotYet(error.to_string())),
            answer => answer?,
        };
        alive(region, &instance)?;
        Ok::<Status<()>, Ec2Error>(Status::NotYet(state(&instance).to_owned()))
    });
    match watch.await {
        Err(WaitError::Failed(error)) if !matches!(error, Ec2Error::TimedOut { .. }) => error,
        // The other wait has the same deadline, and the better message.
        _ => std::future::pending().await,
    }
}

pub(crate) async fn describe(
    ec2: &Client,
    region: &str,
    id: &str,
    deadline: Deadline,
) -> Result<Instance, Ec2Error> {
    let request = ec2.describe_instances().instance_ids(id);
    let answer = ask("DescribeInstances", region, deadline, request.send()).await?;
    let reservations = answer.reservations.unwrap_or_default().into_iter();
    reservations
        .flat_map(|reservation| reservation.instances.unwrap_or_default())
        .next()
        .ok_or_else(|| Ec2Error::Refused {
            call: "DescribeInstances",
            region: region.to_owned(),
            code: "InvalidInstanceID.NotFound".to_owned(),
            message: format!("{id} is not listed"),
            later: false,
        })
}

fn state(instance: &Instance) -> &str {
    instance
        .state()
        .and_then(|state| state.name())
        .map_or("unknown", InstanceStateName::as_str)
}

/// An instance that ends while it boots does not come back: reports that at once, with EC2's reason.
fn alive(region: &str, instance: &Instance) -> Result<(), Ec2Error> {
    reason_of_end(region, instance).map_or(Ok(()), Err)
}

/// Why an instance ended, where it did.
pub(crate) fn reason_of_end(region: &str, instance: &Instance) -> Option<Ec2Error> {
    if matches!(state(instance), "pending" | "running" | "unknown") {
        return None;
    }
    let reason = instance.state_reason();
    let code = reason.and_then(|reason| reason.code()).unwrap_or_default();
    let said = reason
        .and_then(|reason| reason.message())
        .unwrap_or(state(instance));
    Some(Ec2Error::Died {
        id: instance.instance_id().unwrap_or_default().to_owned(),
        region: region.to_owned(),
        code: code.to_owned(),
        // EC2's message begins with the code, mostly.
        reason: if said.contains(code) {
            said.to_owned()
        } else {
            format!("{code}: {said}")
        },
    })
}

#[cfg(test)]
mod tests;
