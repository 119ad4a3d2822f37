//! Ports of the cluster on this machine, as `kubectl port-forward` has them, but for the whole time of a test.
//!
//! Through the API server, each connection to a pod that is ready at that moment: a pod that is replaced, or a server that
//! restarts, ends the connections that were open and no others.

mod find;
mod words;

use std::{io, net::Ipv4Addr, time::Duration};

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

pub use self::words::Forwards;
use self::{
    find::{Found, find},
    words::{Forward, Remote},
};
use crate::{
    limits::{Deadline, Limit},
    notebook::NotebookError,
    report::{Exit, one_line},
    wait::{self, Every, Status, WaitError},
};

/// How long a pod may take to be ready before the test begins, as `kubectl port-forward` has it.
const READY: Duration = Duration::from_mins(1);
/// How long a connection waits for a pod: one may just be replaced.
const CONNECTION: Limit = Limit::secs(15);
/// How long one pod may take to be reached.
const REACH: Duration = Duration::from_secs(10);
/// The pause after a connection that could not be taken, so that a lack of file descriptors is no busy loop.
const AGAIN: Duration = Duration::from_millis(100);

/// Ports that are forwarded, until this is dropped.
#[derive(Debug)]
pub struct Forwarding {
    /// What tells the test where they are.
    pub env: Vec<(String, String)>,
    _serving: JoinSet<()>,
}

/// Where the connections of one local port go.
#[derive(Clone)]
struct Route {
    client: Client,
    forward: Forward,
    namespace: String,
    remote: Remote,
}

/// Opens the ports, and returns once each leads to a pod that is ready. `namespace` is that of what names none.
///
/// # Errors
/// [`NotebookError::NoForward`], [`NotebookError::Api`] and [`NotebookError::Silent`]. Nothing is left open.
pub async fn open(
    client: &Client,
    forwards: &Forwards,
    namespace: &str,
    deadline: Deadline,
) -> Result<Forwarding, NotebookError> {
    let mut serving = JoinSet::new();
    let mut env = Vec::new();
    for forward in &forwards.0 {
        for (place, (local, remote)) in forward.ports.iter().enumerate() {
            let route = Route {
                client: client.clone(),
                forward: forward.clone(),
                namespace: forward.namespace.as_deref().unwrap_or(namespace).to_owned(),
                remote: remote.clone(),
            };
            route.pod(deadline.within(READY)).await?;
            let bound = bind(*local).await;
            let (listener, port) = bound.map_err(|error| NotebookError::NoForward {
                what: format!(
                    "listen on port {local} of this machine for {}",
                    route.shown()
                ),
                reason: error.to_string(),
                exit: Exit::BadInput,
                hint: "leave the choice to the system: `:80` in place of `8080:80`",
            })?;
            tracing::info!("127.0.0.1:{port} leads to {}", route.shown());
            let port = port.to_string();
            if place == 0 {
                env.push((forward.variable(), port.clone()));
            }
            env.push((forward.variable_of(remote), port));
            serving.spawn(serve(listener, route));
        }
    }
    Ok(Forwarding {
        env,
        _serving: serving,
    })
}

async fn bind(port: u16) -> io::Result<(TcpListener, u16)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}

async fn serve(listener: TcpListener, route: Route) {
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((socket, _)) => {
                connections.spawn(carry(route.clone(), socket));
            }
            Err(error) => {
                tracing::debug!("{}: {error}", route.shown());
                wait::pause(AGAIN).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

/// Carries one connection.
async fn carry(route: Route, mut socket: TcpStream) {
    let reached = wait::until(
        route.shown(),
        Deadline::after(CONNECTION),
        Every::millis(500),
        || route.reach(),
    );
    let (mut forwarder, port) = match reached.await {
        Ok(reached) => reached,
        Err(error) => {
            tracing::warn!(
                "a connection to {} was not forwarded: {error}",
                route.shown()
            );
            return;
        }
    };
    if let Some(mut stream) = forwarder.take_stream(port) {
        let carried = copy_bidirectional(&mut socket, &mut stream).await;
        if let Err(error) = carried {
            tracing::debug!("a connection to {} broke: {error}", route.shown());
        }
    }
    forwarder.abort();
}

impl Route {
    fn shown(&self) -> String {
        let Self {
            forward, remote, ..
        } = self;
        format!("{forward} -n {} {remote}", self.namespace)
    }

    /// A pod that is ready, and the port of it.
    async fn pod(&self, deadline: Deadline) -> Result<(String, u16), NotebookError> {
        let ready = wait::until(self.shown(), deadline, Every::millis(500), || async {
            let found = find(&self.client, &self.forward, &self.namespace, &self.remote);
            Ok(match found.await? {
                Found::Pod(pod, port) => Status::Ready((pod, port)),
                Found::NotYet(reason) => Status::NotYet(reason),
            })
        });
        ready.await.map_err(|error| match error {
            WaitError::Failed(error) => error,
            WaitError::TimedOut { last, .. } => NotebookError::NoForward {
                what: format!("forward a port to {}", self.shown()),
                reason: last,
                exit: Exit::Infrastructure,
                hint: "is it deployed and ready? `status` tells what it waits for",
            },
        })
    }

    /// A way into a pod.
    async fn reach(&self) -> Result<Status<(kube::api::Portforwarder, u16)>, NotebookError> {
        let attempt = async {
            let found = find(&self.client, &self.forward, &self.namespace, &self.remote);
            let (pod, port) = match found.await {
                Ok(Found::Pod(pod, port)) => (pod, port),
                Ok(Found::NotYet(reason)) => return Err(reason),
                Err(error) => return Err(crate::report::with_causes(&error)),
            };
            let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
            let opened = pods.portforward(&pod, &[port]).await;
            opened
                .map(|opened| (opened, port))
                .map_err(|error| one_line(&error.to_string()))
        };
        Ok(match tokio::time::timeout(REACH, attempt).await {
            Ok(Ok(reached)) => Status::Ready(reached),
            Ok(Err(reason)) => Status::NotYet(reason),
            Err(_) => Status::NotYet("the API server does not answer".to_owned()),
        })
    }
}

#[cfg(test)]
mod tests;
