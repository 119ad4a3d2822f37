//! The tunnel that install-kind leaves behind: a local port forwarded to the host's API server, reconnecting by itself.
//!
//! A process of its own, detached from the step that starts it, without any secret in its environment. It ends on
//! teardown, when the host is gone for good, when its state directory is, or at the end of the host's life.

mod process;

use std::{
    net::TcpListener as StdListener,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use serde_yaml::Value;
use tokio::{
    net::{TcpListener, TcpStream},
    signal::unix::{SignalKind, signal},
};

use super::{Host as _, HostError, ssh::SshHost};
use crate::{
    inputs::Environment,
    limits::Deadline,
    record::{Record, Store, TunnelRecord},
    report::Exit,
    wait::{self, Every, Status},
};

/// A host that was out of reach for so long is gone.
const LOST_AFTER: Duration = Duration::from_mins(15);
/// How often the connection is looked after.
const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// How long the process may take to listen.
const START_LIMIT: Duration = Duration::from_secs(10);

/// A kubeconfig of the host made one for this machine, and the ports that it needs forwarded.
///
/// The local port stays `earlier`, so that a kubeconfig that somebody copied goes on working. The server's certificate names
/// 127.0.0.1, so it is verified as before.
///
/// # Errors
/// [`HostError::Failed`] when it names no server on the host's loopback.
pub(crate) fn rewritten(
    kubeconfig: &str,
    earlier: Option<u16>,
) -> Result<(String, TunnelRecord), HostError> {
    let strange = |output: String| HostError::Failed {
        host: "the host".to_owned(),
        what: "kind get kubeconfig".to_owned(),
        status: 0,
        output,
    };
    let mut config: Value =
        serde_yaml::from_str(kubeconfig).map_err(|error| strange(error.to_string()))?;
    let server = config
        .get_mut("clusters")
        .and_then(|clusters| clusters.get_mut(0))
        .and_then(|cluster| cluster.get_mut("cluster"))
        .and_then(|cluster| cluster.get_mut("server"))
        .ok_or_else(|| strange("it names no server".to_owned()))?;
    let remote_port = server
        .as_str()
        .and_then(|server| server.strip_prefix("https://127.0.0.1:"))
        .and_then(|port| port.trim_end_matches('/').parse().ok())
        .ok_or_else(|| strange("its server is not on the loopback".to_owned()))?;
    let local_port = match earlier {
        Some(port) => port,
        None => free_port().map_err(|source| HostError::File {
            path: "127.0.0.1".to_owned(),
            source,
        })?,
    };
    *server = format!("https://127.0.0.1:{local_port}").into();
    let text = serde_yaml::to_string(&config).map_err(|error| strange(error.to_string()))?;
    Ok((
        text,
        TunnelRecord {
            local_port,
            remote_port,
        },
    ))
}

/// The port of the tunnel on record, where it runs or the port is free: somebody else may have taken it meanwhile.
pub(crate) fn earlier_port(store: &Store) -> Option<u16> {
    let port = tunnel_of(store.record())?.local_port;
    let free = || StdListener::bind(("127.0.0.1", port)).is_ok();
    (process::running(store.dir()) || free()).then_some(port)
}

fn free_port() -> std::io::Result<u16> {
    Ok(StdListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// Has the recorded tunnel run: returns at once where it does.
///
/// # Errors
/// [`HostError::Unreachable`] with what the tunnel says when it does not listen.
pub(crate) async fn ensure(store: &Store, deadline: Deadline) -> Result<(), HostError> {
    let Some(tunnel) = tunnel_of(store.record()) else {
        return Ok(());
    };
    let port = tunnel.local_port;
    if process::running(store.dir()) && listens(port).await {
        return Ok(());
    }
    tracing::info!("starting the tunnel from 127.0.0.1:{port} to the API server");
    process::start(store.dir())?;
    wait::until(
        "the tunnel",
        deadline.within(START_LIMIT),
        Every::millis(50),
        async || {
            Ok::<_, HostError>(if listens(port).await && process::running(store.dir()) {
                Status::Ready(())
            } else {
                Status::NotYet(process::last_words(store.dir()))
            })
        },
    )
    .await
    .map_err(|error| match error {
        wait::WaitError::TimedOut { last, .. } => HostError::Unreachable {
            host: format!("127.0.0.1:{port}"),
            reason: last,
        },
        wait::WaitError::Failed(error) => error,
    })
}

/// Ends the tunnel of a job, where one runs. It is sure of whom it ends.
pub(crate) async fn stop(store: &Store, deadline: Deadline) {
    process::end(store.dir(), rustix::process::Signal::TERM);
    let ended = wait::until(
        "the end of the tunnel",
        deadline.within(Duration::from_secs(3)),
        Every::millis(50),
        async || {
            Ok::<_, ()>(if process::running(store.dir()) {
                Status::NotYet("it still runs".to_owned())
            } else {
                Status::Ready(())
            })
        },
    )
    .await;
    if ended.is_err() {
        process::end(store.dir(), rustix::process::Signal::KILL);
    }
    process::forget(store.dir());
}

async fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).await.is_ok()
}

fn tunnel_of(record: &Record) -> Option<&TunnelRecord> {
    record.cluster.as_ref()?.tunnel.as_ref()
}

/// Serves the tunnel of a job until it is torn down.
pub(crate) async fn serve(state: &Path) -> Exit {
    match serve_until_the_end(state).await {
        Ok(why) => {
            tracing::info!("the tunnel ends: {why}");
            process::forget(state);
            Exit::Passed
        }
        Err(why) => {
            tracing::error!("no tunnel: {why}");
            Exit::Infrastructure
        }
    }
}

async fn serve_until_the_end(state: &Path) -> Result<&'static str, String> {
    // A session of its own: the step that started it ends without it. It fails for a leader, who has one.
    let _leader = rustix::process::setsid();
    let store = Store::open_in(state.to_owned(), None).map_err(|error| error.to_string())?;
    let record = store.record();
    let (Some(tunnel), Some(host)) = (tunnel_of(record).cloned(), &record.host) else {
        return Err("the record names none".to_owned());
    };
    let host = SshHost::new(host, &Environment::of_process()).map_err(|error| error.to_string())?;
    let host = Arc::new(host);
    let listener = TcpListener::bind(("127.0.0.1", tunnel.local_port))
        .await
        .map_err(|error| format!("port {} of this machine: {error}", tunnel.local_port))?;
    process::note(state).map_err(|error| error.to_string())?;
    tracing::info!(
        "127.0.0.1:{} is port {} of {}",
        tunnel.local_port,
        tunnel.remote_port,
        host.describe()
    );
    let mut terminate =
        signal(SignalKind::terminate()).map_err(|error| format!("signals: {error}"))?;
    let accept = async {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let host = Arc::clone(&host);
                    tokio::spawn(async move { carry(&host, stream, tunnel.remote_port).await });
                }
                Err(error) => {
                    // Out of file descriptors, mostly: it passes.
                    tracing::warn!("{error}");
                    wait::pause(Duration::from_millis(100)).await;
                }
            }
        }
    };
    tokio::select! {
        never = accept => never,
        why = care(&host, state) => Ok(why),
        _ = terminate.recv() => Ok("it was told to"),
    }
}

/// Keeps the connection up, until there is nothing left to connect to.
async fn care(host: &SshHost, state: &Path) -> &'static str {
    let mut away: Option<Instant> = None;
    loop {
        match host.touch().await {
            Ok(()) => {
                if let Some(since) = away.take() {
                    tracing::info!("connected again after {:.0?}", since.elapsed());
                }
            }
            Err(error @ HostError::WrongHostKey { .. }) => {
                tracing::error!("{error}");
                return "somebody else answers";
            }
            Err(error) => {
                let since = away.get_or_insert_with(|| {
                    tracing::warn!("{error}; connecting again");
                    Instant::now()
                });
                if since.elapsed() > LOST_AFTER {
                    return "the host is gone";
                }
            }
        }
        // Read each time: the end of a host may be moved.
        let Ok(text) = std::fs::read(state.join("record.json")) else {
            return "its record is gone";
        };
        let record = serde_json::from_slice::<Record>(&text).ok();
        let expires = record.and_then(|record| record.launch?.expires_at);
        if expires.is_some_and(|expires| Timestamp::now() > expires) {
            return "the host's time is over";
        }
        wait::pause(POLL_INTERVAL).await;
    }
}

async fn carry(host: &SshHost, mut local: TcpStream, port: u16) {
    drop(local.set_nodelay(true));
    match host.forward(port).await {
        Ok(mut remote) => {
            // How a connection ends is the business of its two ends.
            drop(tokio::io::copy_bidirectional(&mut local, &mut remote).await);
        }
        Err(error) => tracing::warn!("{error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::ClusterRecord;

    #[test]
    fn an_earlier_port_that_somebody_else_has_is_given_up() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open_in(dir.path().to_owned(), None).unwrap();
        let taken = StdListener::bind(("127.0.0.1", 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let cluster = ClusterRecord {
            name: "a".to_owned(),
            kubeconfig: "a".into(),
            context: "kind-a".to_owned(),
            tunnel: Some(TunnelRecord {
                local_port: port,
                remote_port: 6443,
            }),
            mirrors: Vec::new(),
        };
        store
            .update(|record| record.cluster = Some(cluster))
            .unwrap();
        assert_eq!(earlier_port(&store), None);
        drop(taken);
        assert_eq!(earlier_port(&store), Some(port));
    }

    #[test]
    fn only_the_port_of_the_server_changes() {
        let text = "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: QQ==\n    server: https://127.0.0.1:38123\n  name: kind-a\n";
        let (made, ports) = rewritten(text, None).unwrap();
        assert_eq!(ports.remote_port, 38123);
        assert!(made.contains(&format!("server: https://127.0.0.1:{}", ports.local_port)));
        assert!(made.contains("certificate-authority-data: QQ=="));
        for bad in [
            "",
            "clusters: []",
            &text.replace("127.0.0.1:38123", "0.0.0.0:1"),
        ] {
            assert!(rewritten(bad, None).is_err(), "{bad}");
        }
    }
}
