//! The objects of one test: `ConfigMaps` with its files, and the Job.
//!
//! The name is new in each run, so that an earlier run's result can never be taken for this one's. The `ConfigMaps`
//! belong to the Job from the first moment and go with it, a day after its end at the latest: a process that is killed
//! at any moment leaves nothing behind that stays.

mod patch;
mod template;

use std::{collections::BTreeMap, time::Duration};

pub use self::patch::PodPatch;
use crate::{
    notebook::{
        NotebookError, answer, files,
        place::{POD_DEFAULT, Place},
        source::{Kind, PIECE, Source},
    },
    report::with_causes,
    run::{self, Run},
};
use futures::future::try_join_all;
use k8s_openapi::{
    ByteString,
    api::{
        batch::v1,
        core::v1::{ConfigMap, Pod},
    },
    apimachinery::pkg::apis::meta::v1::OwnerReference,
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{DeleteParams, PostParams},
};

/// Container that runs the test.
pub(crate) const TEST: &str = "test";
/// Container that holds the results.
pub(super) const KEEPER: &str = "keeper";
/// Directory of the results in both.
pub(super) const WORK: &str = "/manifests-e2e/work";
/// Label of everything that is ours.
pub(crate) const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "manifests-e2e");
/// Label that tells one test's objects from another's.
const INSTANCE: &str = "app.kubernetes.io/instance";
/// How long it may take to take back what was created.
const UNDO: Duration = Duration::from_secs(10);

/// One test as objects of a cluster.
#[derive(Debug)]
pub struct Job {
    /// Name of the Job.
    pub name: String,
    /// Where it is.
    pub place: Place,
    image: String,
    kind: Kind,
    env: Vec<(String, String)>,
    lots: Vec<BTreeMap<String, Vec<u8>>>,
    labels: BTreeMap<String, String>,
    limit: Duration,
    patch: PodPatch,
}

impl Job {
    /// A test of this run. `requirements` are lines for pip; `limit` is the stage's.
    pub fn new(
        run: &Run,
        place: Place,
        source: Source,
        image: &str,
        requirements: &[String],
        limit: Duration,
    ) -> Self {
        let name = files::name(run, &source);
        let labels = [
            (MANAGED_BY.0, MANAGED_BY.1),
            (INSTANCE, name.as_str()),
            (POD_DEFAULT, "true"),
            (run::TAG_RUN, &run.id),
            (run::TAG_JOB, &run.job),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
        let lots = lots(files::all(&source, requirements));
        Self {
            name,
            place,
            image: image.to_owned(),
            kind: source.kind,
            env: source.env,
            lots,
            labels: labels.into(),
            limit,
            patch: PodPatch::default(),
        }
    }

    /// The same with a pod that is changed so.
    #[must_use]
    pub fn with_patch(mut self, patch: PodPatch) -> Self {
        self.patch = patch;
        self
    }

    /// Selects what belongs to this test.
    pub(super) fn selector(&self) -> String {
        format!("{INSTANCE}={}", self.name)
    }

    /// Creates the Job, then its `ConfigMaps`, for which its pod waits. Nothing is left where that fails.
    ///
    /// # Errors
    /// [`NotebookError::Api`] and [`NotebookError::Silent`] naming the object.
    pub async fn create(&self, client: &Client) -> Result<(), NotebookError> {
        let namespace = &self.place.namespace;
        let jobs: Api<v1::Job> = Api::namespaced(client.clone(), namespace);
        let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
        let params = PostParams::default();
        let attempt = async {
            let what = format!("create Job {namespace}/{}", self.name);
            let job = self.object();
            let uid = match answer(&what, || jobs.create(&params, &job)).await? {
                // Its name is ours alone: the answer to an earlier try was lost.
                Err(error) if is_there(&error) => answer(&what, || jobs.get(&self.name))
                    .await?
                    .map(|it| it.uid()),
                done => done.map(|it| it.uid()),
            };
            let uid = uid.map_err(NotebookError::api(what))?.unwrap_or_default();
            let create = async |map: ConfigMap| {
                let what = format!("create ConfigMap {namespace}/{}", map.name_any());
                match answer(&what, || maps.create(&params, &map)).await? {
                    Err(error) if is_there(&error) => Ok(()),
                    done => done.map(drop).map_err(NotebookError::api(what)),
                }
            };
            // All at once: the pod is on its way to its node.
            try_join_all(self.config_maps(&uid).into_iter().map(create)).await
        };
        let Err(error) = attempt.await else {
            return Ok(());
        };
        // A Job whose creation got no answer may be there.
        let why = match tokio::time::timeout(UNDO, self.delete(client)).await {
            Ok(Ok(())) => return Err(error),
            Ok(Err(error)) => with_causes(&error),
            Err(_) => "the API server does not answer".to_owned(),
        };
        tracing::warn!("Job {namespace}/{} may be left: {why}", self.name);
        Err(error)
    }

    /// Deletes the Job, and with it its pod and `ConfigMaps`.
    ///
    /// # Errors
    /// [`NotebookError::Api`].
    pub async fn delete(&self, client: &Client) -> Result<(), NotebookError> {
        let jobs: Api<v1::Job> = Api::namespaced(client.clone(), &self.place.namespace);
        match jobs.delete(&self.name, &DeleteParams::background()).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            done => done.map(drop).map_err(NotebookError::api(format!(
                "delete Job {}/{}",
                self.place.namespace, self.name
            ))),
        }
    }

    /// A pod as the Job will make it, to be tried out.
    pub fn probe(&self) -> Pod {
        let mut pod = self.template();
        pod["metadata"]["generateName"] = format!("{}-", self.name).into();
        serde_json::from_value(pod).expect("a template is a pod without a name")
    }

    /// They belong to the Job of that uid.
    fn config_maps(&self, uid: &str) -> Vec<ConfigMap> {
        let owner = OwnerReference {
            api_version: "batch/v1".to_owned(),
            kind: "Job".to_owned(),
            name: self.name.clone(),
            uid: uid.to_owned(),
            ..OwnerReference::default()
        };
        let maps = self.lots.iter().enumerate().map(|(index, lot)| {
            let mut map = ConfigMap::default();
            map.metadata.name = Some(self.config_map(index));
            map.metadata.labels = Some(self.labels.clone());
            map.metadata.owner_references = Some(vec![owner.clone()]);
            for (key, bytes) in lot {
                match String::from_utf8(bytes.clone()) {
                    Ok(text) => map.data.get_or_insert_default().insert(key.clone(), text),
                    Err(error) => {
                        let bytes = ByteString(error.into_bytes());
                        map.binary_data
                            .get_or_insert_default()
                            .insert(key.clone(), bytes);
                        None
                    }
                };
            }
            map
        });
        maps.collect()
    }

    fn config_map(&self, index: usize) -> String {
        format!("{}-{index}", self.name)
    }
}

fn is_there(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409)
}

/// The files in lots that fit into a `ConfigMap` each.
fn lots(files: Vec<(String, Vec<u8>)>) -> Vec<BTreeMap<String, Vec<u8>>> {
    let mut lots: Vec<(usize, BTreeMap<_, _>)> = Vec::new();
    for (name, bytes) in files {
        let size = bytes.len();
        match lots.last_mut() {
            Some((held, lot)) if *held + size <= PIECE => {
                *held += size;
                lot.insert(name, bytes);
            }
            _ => lots.push((size, BTreeMap::from([(name, bytes)]))),
        }
    }
    lots.into_iter().map(|(_, lot)| lot).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::Pairs;

    fn job(restricted: bool) -> Job {
        let place = Place {
            namespace: "n".to_owned(),
            service_account: "default".to_owned(),
            restricted,
        };
        let source = Source::read(None, None, &Pairs::default()).unwrap();
        Job::new(
            &Run::random(),
            place,
            source,
            "image",
            &["kfp==2".to_owned()],
            Duration::from_mins(20),
        )
    }

    #[test]
    fn two_runs_never_share_a_name() {
        let (a, b) = (job(false), job(false));
        assert_ne!(a.name, b.name);
        assert!(
            a.name.starts_with("digits-") && a.name.len() <= 52,
            "{}",
            a.name
        );
    }

    #[test]
    fn the_job_never_tries_twice_and_outlives_the_stage() {
        let spec = job(false).object().spec.unwrap();
        assert_eq!(spec.backoff_limit, Some(0));
        assert_eq!(spec.active_deadline_seconds, Some(1320));
    }

    #[test]
    fn root_is_refused_only_where_the_namespace_does() {
        for restricted in [true, false] {
            let security = job(restricted)
                .probe()
                .spec
                .unwrap()
                .security_context
                .unwrap();
            assert_eq!(security.run_as_non_root, restricted.then_some(true));
            assert_eq!(security.seccomp_profile.unwrap().type_, "RuntimeDefault");
        }
    }

    #[test]
    fn files_are_spread_over_config_maps_that_fit() {
        let file = |name: &str, size: usize| (name.to_owned(), vec![0xff; size]);
        let lots = lots(vec![
            file("a", 10),
            file("b", PIECE),
            file("c", PIECE - 10),
            file("d", 10),
        ]);
        let names: Vec<Vec<&String>> = lots.iter().map(|lot| lot.keys().collect()).collect();
        assert_eq!(names, [vec!["a"], vec!["b"], vec!["c", "d"]]);
        let maps = job(false).config_maps("u");
        assert_eq!(maps.len(), 1);
        let owner = maps[0].metadata.owner_references.as_ref().unwrap();
        assert_eq!(
            (owner[0].kind.as_str(), owner[0].uid.as_str()),
            ("Job", "u")
        );
    }
}
