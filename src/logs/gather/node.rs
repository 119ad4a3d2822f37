//! What the host gives: its facts, and the logs of the nodes.

use std::{collections::HashSet, path::Path, sync::Arc, time::Duration};

use tokio::sync::{mpsc, oneshot};

use super::GatherRequest;
use crate::{
    limits::Deadline,
    logs::{
        bundle::Bundle,
        collect::{clip::Clipped, containers, host},
        redact::Redactor,
        snapshot::{CpuStats, Gap, LogKey, Snapshot},
    },
    provider::ec2,
};

/// Longest time for the console of an instance.
const CONSOLE: Duration = Duration::from_secs(10);

/// What is known of the cluster's secrets by now.
pub(super) struct Known {
    /// Takes out what is known.
    pub(super) redactor: Arc<Redactor>,
    /// Whose logs are left out, where not all is known.
    pub(super) hidden: Option<Hidden>,
}

/// Containers whose logs may hold what nobody knows here.
#[derive(Clone, Debug)]
pub(super) struct Hidden {
    /// Those that use Secrets.
    pub(super) containers: HashSet<LogKey>,
    /// Pods that were seen; any other may use Secrets.
    pods: HashSet<(String, String)>,
}

impl Hidden {
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let name = |pod: &crate::logs::snapshot::Object| {
            (
                pod.namespace().unwrap_or_default().to_owned(),
                pod.name().to_owned(),
            )
        };
        Self {
            containers: containers::with_secrets(snapshot),
            pods: snapshot.pods().map(name).collect(),
        }
    }

    /// Whether a file of a node is the log of such a container: `kind/NODE/pods/NAMESPACE_POD_UID/CONTAINER/0.log`.
    fn hides(&self, file: &str) -> bool {
        let Some((_, below)) = file.split_once("/pods/") else {
            return false;
        };
        let mut parts = below.split('/');
        let (pod, container) = (
            parts.next().unwrap_or_default(),
            parts.next().unwrap_or_default(),
        );
        let mut names = pod.split('_');
        let (namespace, pod) = (
            names.next().unwrap_or_default().to_owned(),
            names.next().unwrap_or_default().to_owned(),
        );
        !self.pods.contains(&(namespace.clone(), pod.clone()))
            || self.containers.contains(&LogKey {
                namespace,
                pod,
                container: container.to_owned(),
                previous: false,
            })
    }
}

/// The facts of the host and what kind exports of the nodes; they are put in once it is known what must not be shown.
pub(super) async fn of_host(
    wanted: &GatherRequest<'_>,
    bundle: &Bundle,
    archive: &Path,
    deadline: Deadline,
    told: oneshot::Receiver<Known>,
) -> CpuStats {
    let mut cpu = CpuStats::default();
    let of_console = console(wanted, deadline);
    let site = match &wanted.host {
        Ok(site) => *site,
        Err(reason) => {
            bundle.missing(Gap {
                file: "host/".to_owned(),
                error: reason.clone(),
            });
            let (console, known) = futures::join!(of_console, told);
            match (console, known) {
                (Some(Ok((file, text))), Ok(Known { redactor, .. })) => {
                    bundle.add(file, text, &redactor).await;
                }
                (Some(Err(gap)), _) => bundle.missing(gap),
                _ => {}
            }
            return cpu;
        }
    };
    let export = async {
        match wanted.kind {
            Some(kind) => host::export(site, kind, archive, deadline).await,
            None => Err(Gap {
                file: "kind/".to_owned(),
                error: match site.cluster {
                    Some(_) => "left out: there is no time for it in a cancelled job",
                    None => "no KinD cluster of this job is known",
                }
                .to_owned(),
            }),
        }
    };
    let (mut facts, exported, console) =
        futures::join!(host::facts(site, deadline), export, of_console);
    facts.extend(console);
    let Ok(Known { redactor, hidden }) = told.await else {
        return cpu;
    };
    let take = async |found: host::Found| match found {
        Ok((file, _)) if hidden.as_ref().is_some_and(|hidden| hidden.hides(&file)) => bundle
            .missing(Gap {
                file,
                error: "left out: this container may use Secrets, which could not be listed"
                    .to_owned(),
            }),
        Ok((file, clipped)) => bundle.add(file, clipped, &redactor).await,
        Err(gap) => bundle.missing(gap),
    };
    for fact in facts {
        let read = fact.as_ref().ok();
        let read = read.and_then(|(file, it)| CpuStats::read(file, &it.bytes));
        cpu = read.unwrap_or(cpu);
        take(fact).await;
    }
    if let Err(gap) = exported {
        take(Err(gap)).await;
        return cpu;
    }
    let (send, mut files) = mpsc::channel(2);
    let path = archive.to_owned();
    let unpacking = tokio::task::spawn_blocking(move || {
        // An error means that time was up; it was noted.
        host::unpack(&path, |found| drop(send.blocking_send(found)))
    });
    let all = async {
        while let Some(found) = files.recv().await {
            take(found).await;
        }
    };
    let error = match deadline.bound(all).await {
        Err(_) => Some("not all of it could be read in the time there was".to_owned()),
        Ok(()) => unpacking
            .await
            .ok()
            .and_then(Result::err)
            .map(|error| error.to_string()),
    };
    if let Some(error) = error {
        bundle.missing(Gap {
            file: "kind/".to_owned(),
            error,
        });
    }
    cpu
}

/// The console of the instance, where the host is one: all that is left where it does not answer.
async fn console(wanted: &GatherRequest<'_>, deadline: Deadline) -> Option<host::Found> {
    let soon = deadline.within(CONSOLE);
    let found = ec2::console(wanted.store.record(), wanted.env, soon).await?;
    let file = "host/console.txt".to_owned();
    Some(match found {
        Ok(text) => Ok((file, Clipped::whole(text))),
        Err(error) => Err(Gap { file, error }),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::logs::snapshot::Object;

    #[test]
    fn logs_on_a_node_are_hidden_by_what_their_container_uses() {
        let mut snapshot = Snapshot::empty("x");
        snapshot.objects.extend(Object::of(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "n"}, "spec": {"containers": [
            {"name": "uses", "envFrom": [{"secretRef": {"name": "s"}}]}, {"name": "plain"}]}})));
        let hidden = Hidden::of(&snapshot);
        for (file, is_hidden) in [
            ("kind/node/pods/n_p_1234/uses/0.log", true),
            ("kind/node/pods/n_p_1234/plain/0.log", false),
            ("kind/node/pods/n_other_1234/plain/0.log", true),
            ("kind/node/kubelet.log", false),
        ] {
            assert_eq!(hidden.hides(file), is_hidden, "{file}");
        }
    }
}
