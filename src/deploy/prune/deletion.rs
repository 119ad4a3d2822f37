//! Deletes what is doomed, wave after wave, and waits until it is gone.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashSet},
};

use futures::{StreamExt as _, stream};
use kube::Client;

use super::{AT_ONCE, Doomed, PruneError, Pruning};
use crate::{
    api::{ObjectId, is_builtin},
    cluster::live::{self, Extent},
    deploy::Journal,
    limits::Deadline,
    wait::{self, Every, Status, WaitError},
};

const LOOK: Every<'_> = Every::millis(200);

/// Deletes what is doomed, in reverse order of dependency, and waits until each is gone.
///
/// An object that the set has under another group of its kind is spared: it has the same unique id.
pub(super) async fn carry_out(
    client: &Client,
    pruning: &Pruning,
    journal: &Journal,
    deadline: Deadline,
) -> Result<Vec<ObjectId>, PruneError> {
    let sent: HashSet<&str> = journal.objects.iter().map(|it| it.uid.as_str()).collect();
    let mut waves: BTreeMap<u8, Vec<&Doomed>> = BTreeMap::new();
    let mut gone = Vec::new();
    for doomed in &pruning.doomed {
        if sent.contains(doomed.uid.as_str()) {
            gone.push(doomed.id.clone());
        } else {
            waves.entry(wave(&doomed.id)).or_default().push(doomed);
        }
    }
    for (_, wave) in waves {
        for doomed in &wave {
            tracing::info!("deleting {}, which left the set", doomed.id);
        }
        let deletions = stream::iter(&wave).map(|doomed| delete(client, doomed, deadline));
        let deleted: Vec<_> = deletions.buffer_unordered(AT_ONCE).collect().await;
        deleted.into_iter().collect::<Result<(), _>>()?;
        await_gone(client, &wave, deadline).await?;
        gone.extend(wave.iter().map(|doomed| doomed.id.clone()));
    }
    Ok(gone)
}

/// When an object goes; the lower the sooner. Custom resources go while their controllers still run, to be finalized;
/// webhooks before what answers for them; what others stand on at last.
pub(super) fn wave(id: &ObjectId) -> u8 {
    match (id.group.as_str(), id.kind.as_str()) {
        ("", "Namespace") => 6,
        ("apiextensions.k8s.io", "CustomResourceDefinition") => 5,
        ("", "PersistentVolumeClaim" | "PersistentVolume") => 4,
        ("apps" | "batch" | "policy" | "autoscaling", _) | ("", "Pod") => 2,
        ("admissionregistration.k8s.io" | "apiregistration.k8s.io", _) => 1,
        (group, _) if !is_builtin(group) => 0,
        _ => 3,
    }
}

async fn delete(client: &Client, doomed: &Doomed, deadline: Deadline) -> Result<(), PruneError> {
    let what = format!("the deletion of {}", doomed.id);
    // A workload is gone once its pods are. Of all else the garbage collector would have to touch each object first, past
    // webhooks that may be gone already.
    let owner_last = matches!(doomed.id.group.as_str(), "apps" | "batch");
    let attempt = || live::delete(client, &doomed.path, &doomed.uid, owner_last);
    live::steadily(&what, deadline, attempt)
        .await
        .map_err(|refusal| PruneError::Refused {
            object: Box::new(doomed.id.clone()),
            refusal,
        })
}

/// What is looked at of an object that is to go: a namespace tells more than its metadata of what keeps it.
fn extent(id: &ObjectId) -> Extent {
    if id.is("", "Namespace") {
        Extent::Whole
    } else {
        Extent::Metadata
    }
}

async fn await_gone(
    client: &Client,
    wave: &[&Doomed],
    deadline: Deadline,
) -> Result<(), PruneError> {
    let there = RefCell::new(wave.to_vec());
    let look = || async {
        let looked = there.take();
        let looks = stream::iter(looked).map(|doomed| async move {
            let live = live::get(client, &doomed.path, extent(&doomed.id)).await;
            (doomed, live)
        });
        let looks: Vec<_> = looks.buffered(AT_ONCE).collect().await;
        let mut missing = Vec::new();
        for (doomed, live) in looks {
            let why = match live {
                Ok(None) => continue,
                Ok(Some(live)) if live["metadata"]["uid"] != doomed.uid.as_str() => continue,
                Ok(Some(live)) => live::keeps(&live),
                Err(refusal) => refusal.message,
            };
            there.borrow_mut().push(doomed);
            missing.push(format!("{}: {why}", doomed.id));
        }
        Ok(match missing.len() {
            0 => Status::Ready(()),
            1 => Status::NotYet(missing.remove(0)),
            count => Status::NotYet(format!("{}, and {} more", missing[0], count - 1)),
        })
    };
    wait::until("what left the set to be gone", deadline, LOOK, look)
        .await
        .map_err(|error| match error {
            WaitError::Failed(error) => error,
            WaitError::TimedOut { last, .. } => PruneError::Remains(last),
        })
}
