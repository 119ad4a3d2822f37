//! The place that a test runs in: its namespace, its service account, and the `PodDefault` that lets it reach pipelines.
//!
//! What exists is left as it is. A namespace that was made stays: the logs of the test are still to be gathered.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, PostParams},
};
use serde_json::{Value, json};

use crate::{
    cluster::live::is_busy,
    limits::Deadline,
    notebook::{NotebookError, answer, job::MANAGED_BY},
    report::one_line,
    wait::{self, Every, Status},
};

/// How long a new namespace may lack its service account.
const ACCOUNT: Duration = Duration::from_mins(1);
/// How long a new `PodDefault` may go unseen by its webhook.
const SEEN: Duration = Duration::from_secs(15);
/// The service account that a Kubeflow profile gives its notebooks.
const EDITOR: &str = "default-editor";
/// Name and label of the `PodDefault`, as Kubeflow's own examples have it.
pub(super) const POD_DEFAULT: &str = "access-ml-pipeline";
/// The variable that it sets; `kfp.Client()` reads it.
const TOKEN_VARIABLE: &str = "KF_PIPELINES_SA_TOKEN_PATH";
const TOKEN_DIRECTORY: &str = "/var/run/secrets/kubeflow/pipelines";

/// Where and as whom a test runs.
#[derive(Clone, Debug)]
pub struct Place {
    /// The namespace; it exists.
    pub namespace: String,
    /// The service account; it exists.
    pub service_account: String,
    /// Whether the namespace lets no pod run as root (Pod Security Standard `restricted`).
    pub restricted: bool,
}

/// The API groups that only Kubeflow's components serve.
const KUBEFLOW: [&str; 4] = [
    "kubeflow.org",
    "trainer.kubeflow.org",
    "serving.kserve.io",
    "pipelines.kubeflow.org",
];

/// The first of Kubeflow's API groups that a cluster serves.
///
/// # Errors
/// [`NotebookError::Api`]: the API server refused. [`NotebookError::Silent`]: it hangs.
pub async fn kubeflow(client: &Client) -> Result<Option<&'static str>, NotebookError> {
    let what = "list the API groups";
    let groups = answer(what, || client.list_api_groups()).await?;
    let groups = groups.map_err(NotebookError::api(what.to_owned()))?;
    let is_served = |group: &&&str| groups.groups.iter().any(|it| it.name == ***group);
    Ok(KUBEFLOW.iter().find(is_served).copied())
}

/// Makes the namespace where it does not exist, and finds the service account.
///
/// # Errors
/// [`NotebookError::BadNamespace`] and [`NotebookError::NoServiceAccount`]: nothing was created.
/// [`NotebookError::Api`]: the API server refused. [`NotebookError::Silent`]: it hangs.
pub async fn prepare(
    client: &Client,
    namespace: &str,
    account: Option<&str>,
    deadline: Deadline,
) -> Result<Place, NotebookError> {
    let label = |name: &str| {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        (1..=63).contains(&name.len())
            && name.chars().all(fits)
            && !name.starts_with('-')
            && !name.ends_with('-')
    };
    if !label(namespace) {
        return Err(NotebookError::BadNamespace(namespace.to_owned()));
    }
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
    let what = format!("read namespace {namespace}");
    let found = match answer(&what, || namespaces.get_opt(namespace)).await? {
        Ok(found) => found,
        // Who may not look may still be allowed to use it.
        Err(error) if is_forbidden(&error) => Some(Namespace::default()),
        Err(error) => return Err(NotebookError::api(what)(error)),
    };
    let exists = async |name: &str| {
        let what = format!("read service account {namespace}/{name}");
        let account = answer(&what, || accounts.get_opt(name)).await?;
        Ok(account.map_err(NotebookError::api(what))?.is_some())
    };
    let service_account = match account {
        // A namespace that is made gets the account `default`, and no other.
        Some(name) if name != "default" && (found.is_none() || !exists(name).await?) => {
            return Err(NotebookError::NoServiceAccount {
                name: name.to_owned(),
                namespace: namespace.to_owned(),
            });
        }
        Some(name) => name.to_owned(),
        None if found.is_some() && exists(EDITOR).await.unwrap_or(false) => EDITOR.to_owned(),
        None => "default".to_owned(),
    };
    let restricted = found
        .as_ref()
        .and_then(|namespace| namespace.metadata.labels.as_ref())
        .and_then(|labels| labels.get("pod-security.kubernetes.io/enforce"))
        .is_some_and(|level| level == "restricted");
    if found.is_none() {
        tracing::info!("creating namespace {namespace}");
        let new = serde_json::from_value(json!({
            "metadata": { "name": namespace, "labels": { MANAGED_BY.0: MANAGED_BY.1 } }
        }))
        .expect("this is a namespace");
        let what = format!("create namespace {namespace}");
        let params = PostParams::default();
        match answer(&what, || namespaces.create(&params, &new)).await? {
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            done => drop(done.map_err(NotebookError::api(what))?),
        }
    }
    if account.is_none_or(|name| name == "default") {
        // The Job controller retries a pod without its account only after seconds.
        wait::until(
            format_args!("service account {namespace}/{service_account}"),
            deadline.within(ACCOUNT),
            Every::millis(200),
            || async {
                match accounts.get_opt(&service_account).await {
                    Ok(Some(_)) => Ok(Status::Ready(())),
                    Err(error) if is_forbidden(&error) => Ok(Status::Ready(())),
                    Ok(None) => Ok(Status::NotYet("it does not exist".to_owned())),
                    Err(kube::Error::Api(status)) if is_busy(&status) => {
                        Ok(Status::NotYet(status.message.clone()))
                    }
                    Err(error) => Err(error),
                }
            },
        )
        .await
        .map_err(|error| match error {
            wait::WaitError::Failed(error) => NotebookError::api(format!(
                "read service account {namespace}/{service_account}"
            ))(error),
            timed_out @ wait::WaitError::TimedOut { .. } => NotebookError::NotStarted {
                what: format!("namespace {namespace} has no service account {service_account}"),
                reason: timed_out.to_string(),
                hint: "is kube-controller-manager running?",
            },
        })?;
    }
    Ok(Place {
        namespace: namespace.to_owned(),
        service_account,
        restricted,
    })
}

/// Applies the `PodDefault` where its kind is served, and returns once a pod like `probe` gets what it gives.
///
/// Without a webhook that applies it there is nothing to be seen: that is said, and no failure.
///
/// # Errors
/// [`NotebookError::Api`] when it cannot be created; [`NotebookError::Silent`].
pub async fn pod_default(
    client: &Client,
    namespace: &str,
    probe: &Pod,
    deadline: Deadline,
) -> Result<(), NotebookError> {
    let what = "list the kinds of kubeflow.org/v1alpha1";
    let listed = || client.list_api_group_resources("kubeflow.org/v1alpha1");
    let served = match answer(what, listed).await? {
        Ok(list) => list
            .resources
            .iter()
            .any(|resource| resource.kind == "PodDefault"),
        Err(kube::Error::Api(status)) if status.code == 404 => false,
        Err(error) => return Err(NotebookError::api(what)(error)),
    };
    if !served {
        return Ok(());
    }
    let resource = ApiResource {
        group: "kubeflow.org".to_owned(),
        version: "v1alpha1".to_owned(),
        api_version: "kubeflow.org/v1alpha1".to_owned(),
        kind: "PodDefault".to_owned(),
        plural: "poddefaults".to_owned(),
    };
    let defaults: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
    let object: DynamicObject =
        serde_json::from_value(manifest(namespace)).expect("this is an object");
    let what = format!("create PodDefault {namespace}/{POD_DEFAULT}");
    let params = PostParams::default();
    match answer(&what, || defaults.create(&params, &object)).await? {
        Ok(_) => tracing::info!("created PodDefault {namespace}/{POD_DEFAULT}"),
        // Somebody's own: it is theirs to say what it gives.
        Err(kube::Error::Api(status)) if status.code == 409 => {}
        Err(error) => return Err(NotebookError::api(what)(error)),
    }
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let seen = wait::until(
        format_args!("PodDefault {POD_DEFAULT} to be seen by its webhook"),
        deadline.within(SEEN),
        Every::millis(500),
        || async {
            Ok::<_, NotebookError>(match pods.create(&dry, probe).await {
                Ok(pod) if gets_token(&pod) => Status::Ready(()),
                Ok(_) => Status::NotYet(format!("pods do not get {TOKEN_VARIABLE}")),
                Err(error) => Status::NotYet(one_line(&error.to_string())),
            })
        },
    )
    .await;
    if let Err(error) = seen {
        tracing::warn!("{error}; the test runs without access to pipelines");
    }
    Ok(())
}

fn gets_token(pod: &Pod) -> bool {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    containers
        .flat_map(|container| container.env.iter().flatten())
        .any(|variable| variable.name == TOKEN_VARIABLE)
}

fn is_forbidden(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 403)
}

fn manifest(namespace: &str) -> Value {
    json!({
        "apiVersion": "kubeflow.org/v1alpha1",
        "kind": "PodDefault",
        "metadata": { "name": POD_DEFAULT, "namespace": namespace, "labels": { MANAGED_BY.0: MANAGED_BY.1 } },
        "spec": {
            "desc": "Allow access to Kubeflow Pipelines",
            "selector": { "matchLabels": { POD_DEFAULT: "true" } },
            "env": [{ "name": TOKEN_VARIABLE, "value": format!("{TOKEN_DIRECTORY}/token") }],
            "volumes": [{ "name": "volume-kf-pipeline-token", "projected": { "sources": [{
                "serviceAccountToken": {
                    "path": "token",
                    "expirationSeconds": 7200,
                    "audience": "pipelines.kubeflow.org",
                }
            }]}}],
            "volumeMounts": [{
                "name": "volume-kf-pipeline-token",
                "mountPath": TOKEN_DIRECTORY,
                "readOnly": true,
            }],
        }
    })
}

#[cfg(test)]
mod tests;
