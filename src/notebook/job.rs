//! The objects of one test: `ConfigMaps` with its files, and the Job.
//!
//! The name is new in each run, so that an earlier run's result can never be taken for this one's. The `ConfigMaps`
//! belong to the Job and go with it, a day after its end at the latest.

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::{
    ByteString,
    api::{
        batch::v1,
        core::v1::{ConfigMap, Pod},
    },
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use crate::{
    notebook::{
        NotebookError, answer,
        place::{POD_DEFAULT, Place},
        source::{Kind, PIECE, Source},
    },
    report::with_causes,
    run::{self, Run, resource_name, short_hash},
};

/// Container that runs the test.
pub(crate) const TEST: &str = "test";
/// Container that holds the results.
pub(super) const KEEPER: &str = "keeper";
/// Directory of the results in both.
pub(super) const WORK: &str = "/manifests-e2e/work";
const INPUT: &str = "/manifests-e2e/input";
/// Label of everything that is ours.
pub(crate) const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "manifests-e2e");
/// Label that tells one test's objects from another's.
const INSTANCE: &str = "app.kubernetes.io/instance";
/// The Job outlives the stage's limit by this, so that the stage, which says more, ends first.
const GRACE: Duration = Duration::from_mins(2);
/// How long it may take to take back what was created.
const UNDO: Duration = Duration::from_secs(10);
/// How long a Job that ended is kept on a cluster that lives on.
const KEPT: Duration = Duration::from_hours(24);
/// Waits for SIGTERM; a shell that is process 1 heeds only what it traps.
const KEEP: &str = "trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done";

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
        let whose = short_hash(&format!("{}/{}", run.id, run.job));
        let random = format!("{:06x}", rand::random::<u32>() & 0xff_ffff);
        // The Job controller appends six characters for the pod; a label has 63.
        let name = resource_name(&[&source.name, &whose, &random], 52);
        let labels = [
            (MANAGED_BY.0, MANAGED_BY.1),
            (INSTANCE, name.as_str()),
            (POD_DEFAULT, "true"),
            (run::TAG_RUN, &run.id),
            (run::TAG_JOB, &run.job),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
        let mut files = vec![("start.sh".to_owned(), include_bytes!("start.sh").to_vec())];
        if source.kind == Kind::Notebook {
            files.push(("driver.py".to_owned(), include_bytes!("driver.py").to_vec()));
        }
        if !requirements.is_empty() {
            let lines = requirements.join("\n") + "\n";
            files.push(("requirements.txt".to_owned(), lines.into_bytes()));
        }
        files.extend(source.files);
        Self {
            name,
            place,
            image: image.to_owned(),
            kind: source.kind,
            env: source.env,
            lots: lots(files),
            labels: labels.into(),
            limit,
        }
    }

    /// Selects what belongs to this test.
    pub(super) fn selector(&self) -> String {
        format!("{INSTANCE}={}", self.name)
    }

    /// Creates the `ConfigMaps`, then the Job. Nothing is left where that fails.
    ///
    /// # Errors
    /// [`NotebookError::Api`] and [`NotebookError::Silent`] naming the object.
    pub async fn create(&self, client: &Client) -> Result<(), NotebookError> {
        let namespace = &self.place.namespace;
        let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
        let jobs: Api<v1::Job> = Api::namespaced(client.clone(), namespace);
        let params = PostParams::default();
        let attempt = async {
            for map in self.config_maps() {
                let what = format!("create ConfigMap {namespace}/{}", map.name_any());
                answer(&what, || maps.create(&params, &map))
                    .await?
                    .map_err(NotebookError::api(what))?;
            }
            let what = format!("create Job {namespace}/{}", self.name);
            let job = self.object();
            answer(&what, || jobs.create(&params, &job))
                .await?
                .map_err(NotebookError::api(what))
        };
        let job = match attempt.await {
            Ok(job) => job,
            Err(error) => {
                self.undo(client, &maps).await;
                return Err(error);
            }
        };
        // Only now there is an owner; what cannot be tied to it stays, which harms nothing.
        let owner = json!({ "metadata": { "ownerReferences": [{
            "apiVersion": "batch/v1", "kind": "Job", "name": self.name, "uid": job.uid().unwrap_or_default(),
        }]}});
        for map in self.config_maps() {
            let name = map.name_any();
            let (parameters, owner) = (PatchParams::default(), Patch::Merge(&owner));
            let patched = answer("patch", || maps.patch(&name, &parameters, &owner)).await;
            if let Err(error) = patched.and_then(|done| done.map_err(NotebookError::api("patch"))) {
                let why = with_causes(&error);
                tracing::warn!("ConfigMap {name} will outlive its Job: {why}");
            }
        }
        Ok(())
    }

    /// Takes back what was created. A Job whose creation got no answer may be there.
    async fn undo(&self, client: &Client, maps: &Api<ConfigMap>) {
        let ours = ListParams::default().labels(&self.selector());
        let parameters = DeleteParams::default();
        let undone = async {
            self.delete(client).await?;
            maps.delete_collection(&parameters, &ours)
                .await
                .map_err(NotebookError::api("delete its ConfigMaps"))
        };
        let why = match tokio::time::timeout(UNDO, undone).await {
            Ok(Ok(_)) => return,
            Ok(Err(error)) => with_causes(&error),
            Err(_) => "the API server does not answer".to_owned(),
        };
        tracing::warn!("something of {} is left: {why}", self.name);
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
        pod["metadata"]["generateName"] = json!(format!("{}-", self.name));
        serde_json::from_value(pod).expect("a template is a pod without a name")
    }

    fn config_maps(&self) -> Vec<ConfigMap> {
        let maps = self.lots.iter().enumerate().map(|(index, lot)| {
            let mut map = ConfigMap::default();
            map.metadata.name = Some(self.config_map(index));
            map.metadata.labels = Some(self.labels.clone());
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

    fn object(&self) -> v1::Job {
        serde_json::from_value(json!({
            "metadata": { "name": self.name, "labels": self.labels },
            "spec": {
                // A second attempt would hide the first one's error.
                "backoffLimit": 0,
                "activeDeadlineSeconds": (self.limit + GRACE).as_secs(),
                "ttlSecondsAfterFinished": KEPT.as_secs(),
                "template": self.template(),
            }
        }))
        .expect("this is a Job")
    }

    fn template(&self) -> Value {
        let container = |name: &str, command: Value, cpu: &str, memory: &str| {
            json!({
                "name": name,
                "image": self.image,
                "imagePullPolicy": "IfNotPresent",
                "command": command,
                "workingDir": WORK,
                // A quota on requests, as profiles have one, refuses pods without.
                "resources": { "requests": { "cpu": cpu, "memory": memory } },
                "securityContext": {
                    "allowPrivilegeEscalation": false,
                    "capabilities": { "drop": ["ALL"] },
                },
                "volumeMounts": [{ "name": "work", "mountPath": WORK }],
            })
        };
        let start = json!(["sh", format!("{INPUT}/start.sh"), self.kind.word()]);
        let mut test = container(TEST, start, "100m", "256Mi");
        let mut env = vec![
            json!({ "name": "MANIFESTS_E2E_INPUT", "value": INPUT }),
            json!({ "name": "MANIFESTS_E2E_WORK", "value": WORK }),
            // The log is live.
            json!({ "name": "PYTHONUNBUFFERED", "value": "1" }),
        ];
        let given = self.env.iter();
        env.extend(given.map(|(name, value)| json!({ "name": name, "value": value })));
        test["env"] = json!(env);
        if let Some(mounts) = test["volumeMounts"].as_array_mut() {
            mounts.push(json!({ "name": "input", "mountPath": INPUT, "readOnly": true }));
        }
        let keeper = container(KEEPER, json!(["sh", "-c", KEEP]), "1m", "8Mi");
        let sources: Vec<Value> = (0..self.lots.len())
            .map(|index| json!({ "configMap": { "name": self.config_map(index) } }))
            .collect();
        let mut security = json!({ "seccompProfile": { "type": "RuntimeDefault" } });
        if self.place.restricted {
            // Elsewhere an image of root's may run: many notebook images are.
            security["runAsNonRoot"] = json!(true);
        }
        json!({
            "metadata": {
                "labels": self.labels,
                "annotations": {
                    // A test that begins before its sidecar has no network.
                    "proxy.istio.io/config": r#"{"holdApplicationUntilProxyStarts": true}"#,
                },
            },
            "spec": {
                "restartPolicy": "Never",
                "serviceAccountName": self.place.service_account,
                "terminationGracePeriodSeconds": 5,
                "securityContext": security,
                "containers": [test, keeper],
                "volumes": [
                    { "name": "input", "projected": { "sources": sources } },
                    { "name": "work", "emptyDir": {} },
                ],
            }
        })
    }
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
            a.name.starts_with("mnist-") && a.name.len() <= 52,
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
        assert_eq!(job(false).config_maps().len(), 1);
    }
}
