//! When a fresh cluster is really ready: nodes, DNS, storage, and what a first pod needs.
//!
//! `kind create --wait` knows of nodes alone, and ends green when they are not ready either.

use std::time::Duration;

use k8s_openapi::api::{
    apps::v1::DaemonSet,
    core::v1::{Node, Pod, ServiceAccount},
    storage::v1::StorageClass,
};
use kube::{Api, Client, ResourceExt as _, api::ListParams};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::{KindError, facts::ConfigFacts};
use crate::{
    limits::Deadline,
    report::{one_line, waited},
    wait::{self, Every, Status},
};

const LOOK: Every<'static> = Every::millis(200);
/// How long a pod may take to answer one DNS query.
const ANSWER: Duration = Duration::from_secs(3);
const DEFAULT_CLASS: &str = "storageclass.kubernetes.io/is-default-class";

type Look = Result<Status<()>, KindError>;

/// Waits until all nodes are Ready, a `CoreDNS` pod answers over TCP, there is a default `StorageClass`, and a pod in a
/// fresh namespace would start and reach Services.
///
/// What waits for something that the set brings is left out: without a network no node gets Ready, without kube-proxy no DNS
/// answers.
///
/// # Errors
/// [`KindError::NotReady`] naming what was missing at the deadline; [`KindError::Refused`] when the API server denies.
pub async fn ready(
    client: &Client,
    facts: &ConfigFacts,
    deadline: Deadline,
) -> Result<(), KindError> {
    let dns = async {
        match facts.without() {
            None => until("cluster DNS", deadline, || dns_answers(client)).await,
            Some(_) => Ok(()),
        }
    };
    futures::try_join!(
        until("all nodes Ready", deadline, async || nodes_ready(
            client, facts
        )
        .await),
        dns,
        until("a default StorageClass", deadline, async || has_storage(
            client
        )
        .await),
        until(
            "kube-proxy and the default ServiceAccount",
            deadline,
            async || { pods_can_start(client).await }
        ),
    )?;
    Ok(())
}

async fn until<F: Future<Output = Look>>(
    what: &str,
    deadline: Deadline,
    look: impl FnMut() -> F,
) -> Result<(), KindError> {
    wait::until(what, deadline, LOOK, look)
        .await
        .map_err(|error| waited(error, KindError::NotReady, |error| error))
}

/// A server that does not answer for a moment may do so at the next look; one that denies will not.
fn missing(error: kube::Error) -> Look {
    match error {
        kube::Error::Api(status) if matches!(status.code, 401 | 403) => {
            Err(KindError::Refused(kube::Error::Api(status)))
        }
        error => Ok(Status::NotYet(one_line(&error.to_string()))),
    }
}

async fn nodes_ready(client: &Client, facts: &ConfigFacts) -> Look {
    let expected = facts.nodes;
    let nodes = match Api::<Node>::all(client.clone())
        .list(&ListParams::default())
        .await
    {
        Ok(nodes) => nodes.items,
        Err(error) => return missing(error),
    };
    for node in nodes.iter().filter(|_| facts.has_cni) {
        let conditions = node
            .status
            .as_ref()
            .and_then(|status| status.conditions.as_ref());
        let ready = conditions
            .into_iter()
            .flatten()
            .find(|condition| condition.type_ == "Ready");
        if ready.is_none_or(|ready| ready.status != "True") {
            let why = ready
                .and_then(|ready| ready.message.clone())
                .unwrap_or_default();
            return Ok(Status::NotYet(format!(
                "{} is not Ready: {why}",
                node.name_any()
            )));
        }
    }
    Ok(if nodes.len() < expected {
        Status::NotYet(format!("{} of {expected} nodes joined", nodes.len()))
    } else {
        Status::Ready(())
    })
}

async fn has_storage(client: &Client) -> Look {
    let classes = match Api::<StorageClass>::all(client.clone())
        .list(&ListParams::default())
        .await
    {
        Ok(classes) => classes.items,
        Err(error) => return missing(error),
    };
    let default = classes.iter().any(|class| {
        class
            .annotations()
            .get(DEFAULT_CLASS)
            .is_some_and(|v| v == "true")
    });
    Ok(if default {
        Status::Ready(())
    } else {
        Status::NotYet(format!(
            "{} StorageClasses, none of them default",
            classes.len()
        ))
    })
}

/// Without the account a pod is refused; without kube-proxy's rules a Service address leaves the machine.
async fn pods_can_start(client: &Client) -> Look {
    let accounts: Api<ServiceAccount> = Api::default_namespaced(client.clone());
    match accounts.get_opt("default").await {
        Ok(Some(_)) => {}
        Ok(None) => return Ok(Status::NotYet("no default ServiceAccount".to_owned())),
        Err(error) => return missing(error),
    }
    let sets: Api<DaemonSet> = Api::namespaced(client.clone(), "kube-system");
    let status = match sets.get_opt("kube-proxy").await {
        // Another network may do without.
        Ok(None) => return Ok(Status::Ready(())),
        Ok(Some(set)) => set.status.unwrap_or_default(),
        Err(error) => return missing(error),
    };
    let (ready, wanted) = (status.number_ready, status.desired_number_scheduled);
    Ok(if ready >= wanted && wanted > 0 {
        Status::Ready(())
    } else {
        Status::NotYet(format!("kube-proxy runs on {ready} of {wanted} nodes"))
    })
}

async fn dns_answers(client: &Client) -> Look {
    let pods: Api<Pod> = Api::namespaced(client.clone(), "kube-system");
    let labelled = ListParams::default().labels("k8s-app=kube-dns");
    let listed = match pods.list(&labelled).await {
        Ok(listed) => listed.items,
        Err(error) => return missing(error),
    };
    let mut last = format!("{} CoreDNS pods, none of them running", listed.len());
    for pod in listed {
        let running = pod
            .status
            .as_ref()
            .and_then(|status| status.container_statuses.as_ref())
            .is_some_and(|all| {
                all.iter()
                    .any(|one| one.state.as_ref().is_some_and(|s| s.running.is_some()))
            });
        if !running {
            continue;
        }
        match tokio::time::timeout(ANSWER, asked(&pods, &pod.name_any())).await {
            Ok(Ok(())) => return Ok(Status::Ready(())),
            Ok(Err(reason)) => last = format!("{}: {reason}", pod.name_any()),
            Err(_) => last = format!("{}: no answer", pod.name_any()),
        }
    }
    Ok(Status::NotYet(last))
}

async fn asked(pods: &Api<Pod>, name: &str) -> Result<(), String> {
    let mut forwarder = pods
        .portforward(name, &[53])
        .await
        .map_err(|error| one_line(&error.to_string()))?;
    let stream = forwarder.take_stream(53).ok_or("no stream")?;
    let answered = query(stream, "kubernetes.default.svc.cluster.local").await;
    forwarder.abort();
    answered
}

/// Asks a DNS server over TCP for the address of a name; an answer without an address is an error.
///
/// (RFC 1035 §4: a length, twelve octets of header, the question; of the answer only its header counts.)
async fn query(mut stream: impl AsyncRead + AsyncWrite + Unpin, name: &str) -> Result<(), String> {
    const ID: [u8; 2] = [0x4d, 0x45];
    let mut message = Vec::from(ID);
    message.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]); // recursion desired, one question
    for label in name.split('.') {
        message.push(u8::try_from(label.len()).map_err(|_| "a label is too long")?);
        message.extend(label.as_bytes());
    }
    message.extend([0, 0, 1, 0, 1]); // end of name, type A, class IN
    let length = u16::try_from(message.len()).map_err(|_| "the name is too long")?;
    let told = |error: std::io::Error| one_line(&error.to_string());
    stream
        .write_all(&length.to_be_bytes())
        .await
        .map_err(told)?;
    stream.write_all(&message).await.map_err(told)?;
    stream.flush().await.map_err(told)?;
    let mut header = [0; 14];
    stream.read_exact(&mut header).await.map_err(told)?;
    let [_, _, id0, id1, flags, code, _, _, count0, count1, ..] = header;
    if [id0, id1] != ID || flags & 0x80 == 0 {
        return Err("that was no answer to our question".to_owned());
    }
    match (code & 0x0f, u16::from_be_bytes([count0, count1])) {
        (0, 1..) => Ok(()),
        (0, 0) => Err(format!("it knows no address of {name} yet")),
        (code, _) => Err(format!("it answers with code {code}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answer(header: [u8; 12]) -> Result<(), String> {
        let (ours, mut theirs) = tokio::io::duplex(512);
        let server = async {
            let mut length = [0; 2];
            theirs.read_exact(&mut length).await.unwrap();
            let mut question = vec![0; usize::from(u16::from_be_bytes(length))];
            theirs.read_exact(&mut question).await.unwrap();
            assert!(question.ends_with(b"\x03svc\x07cluster\x05local\0\0\x01\0\x01"));
            let mut reply = vec![0, 12];
            reply.extend(header);
            theirs.write_all(&reply).await.unwrap();
        };
        tokio::join!(query(ours, "kubernetes.default.svc.cluster.local"), server).0
    }

    #[tokio::test]
    async fn only_an_address_counts_as_an_answer() {
        let header = |flags, code, count| [0x4d, 0x45, flags, code, 0, 1, 0, count, 0, 0, 0, 0];
        assert!(answer(header(0x85, 0, 1)).await.is_ok());
        assert!(answer(header(0x85, 0, 0)).await.is_err(), "no record");
        assert!(answer(header(0x85, 2, 0)).await.is_err(), "SERVFAIL");
        assert!(
            answer(header(0x05, 0, 1)).await.is_err(),
            "a question, not an answer"
        );
    }
}
