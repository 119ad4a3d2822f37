//! Which pod a port leads to at this moment, and to which port of it.

use k8s_openapi::{
    api::{
        apps::v1::Deployment,
        core::v1::{Pod, Service, ServicePort},
    },
    apimachinery::pkg::util::intstr::IntOrString,
};
use kube::{
    Api, Client, ResourceExt as _,
    api::ListParams,
    core::{Selector, SelectorExt as _},
};

use super::words::{Forward, Kind, Remote};
use crate::{
    notebook::{NotebookError, answer},
    report::Exit,
};

/// What a port leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// This port of this pod.
    Pod(String, u16),
    /// No pod that is ready.
    NotYet(String),
}

/// A pod that is ready, and the port of it.
///
/// # Errors
/// [`NotebookError::NoForward`] where it does not exist or has no such port; [`NotebookError::Api`] and
/// [`NotebookError::Silent`].
pub(super) async fn find(
    client: &Client,
    forward: &Forward,
    namespace: &str,
    remote: &Remote,
) -> Result<Found, NotebookError> {
    let about = About {
        client,
        forward,
        namespace,
    };
    let (pods, wanted) = match forward.kind {
        Kind::Pod => {
            let pod: Pod = about.get().await?;
            (vec![pod], Wanted::of(remote))
        }
        Kind::Deployment => {
            let deployment: Deployment = about.get().await?;
            let selector = deployment.spec.unwrap_or_default().selector;
            let selector =
                Selector::try_from(selector).map_err(|error| about.refuse(error.to_string()))?;
            (about.pods(&selector).await?, Wanted::of(remote))
        }
        Kind::Service => {
            let service: Service = about.get().await?;
            let spec = service.spec.unwrap_or_default();
            let ports = spec.ports.unwrap_or_default();
            let is_headless = spec.cluster_ip.as_deref() == Some("None");
            let port = ports.iter().find(|port| match remote {
                Remote::Number(number) => port.port == i32::from(*number),
                Remote::Name(name) => port.name.as_deref() == Some(name.as_str()),
            });
            let port = port.ok_or_else(|| {
                let there: Vec<String> = ports.iter().map(|port| port.port.to_string()).collect();
                about.refuse(format!(
                    "it has no port {remote}, only {}",
                    there.join(", ")
                ))
            })?;
            let selector = spec.selector.unwrap_or_default();
            if selector.is_empty() {
                return Err(about.refuse("it selects no pods".to_owned()));
            }
            let selector: Selector = selector.into_iter().collect();
            (
                about.pods(&selector).await?,
                Wanted::behind(port, is_headless),
            )
        }
    };
    let ready = pods.iter().find(|pod| is_ready(pod));
    let Some(pod) = ready else {
        return Ok(Found::NotYet(match pods.len() {
            0 => "it has no pod".to_owned(),
            1 => format!("its pod {} is not ready", pods[0].name_any()),
            count => format!("none of its {count} pods is ready"),
        }));
    };
    let port = wanted
        .in_pod(pod)
        .ok_or_else(|| about.refuse(format!("its pod {} has no port {remote}", pod.name_any())))?;
    Ok(Found::Pod(pod.name_any(), port))
}

struct About<'a> {
    client: &'a Client,
    forward: &'a Forward,
    namespace: &'a str,
}

impl About<'_> {
    fn shown(&self) -> String {
        format!("{} in namespace {}", self.forward, self.namespace)
    }

    fn refuse(&self, reason: String) -> NotebookError {
        NotebookError::NoForward {
            what: format!("forward a port to {}", self.shown()),
            reason,
            exit: Exit::BadInput,
            hint: "`kubectl get svc,deploy,pods -A` lists what there is",
        }
    }

    async fn get<K>(&self) -> Result<K, NotebookError>
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + serde::de::DeserializeOwned,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), self.namespace);
        let what = format!("read {}", self.shown());
        let found = answer(&what, || api.get_opt(&self.forward.name)).await?;
        let found = found.map_err(NotebookError::api(what))?;
        found.ok_or_else(|| self.refuse("it does not exist".to_owned()))
    }

    async fn pods(&self, selector: &Selector) -> Result<Vec<Pod>, NotebookError> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), self.namespace);
        let list = ListParams::default().labels_from(selector);
        let what = format!("list the pods of {}", self.shown());
        let listed = answer(&what, || pods.list(&list)).await?;
        let mut pods = listed.map_err(NotebookError::api(what))?.items;
        pods.retain(|pod| selector.matches(pod.labels()));
        Ok(pods)
    }
}

/// The port of a pod, before it is known which pod.
enum Wanted {
    Number(u16),
    Name(String),
}

impl Wanted {
    fn of(remote: &Remote) -> Self {
        match remote {
            Remote::Number(number) => Self::Number(*number),
            Remote::Name(name) => Self::Name(name.clone()),
        }
    }

    /// Where a port of a Service leads: one without an address of its own maps none.
    fn behind(port: &ServicePort, is_headless: bool) -> Self {
        let own = u16::try_from(port.port).unwrap_or_default();
        match &port.target_port {
            Some(IntOrString::Int(number)) if !is_headless && *number > 0 => {
                Self::Number(u16::try_from(*number).unwrap_or_default())
            }
            Some(IntOrString::String(name)) if !is_headless => Self::Name(name.clone()),
            _ => Self::Number(own),
        }
    }

    fn in_pod(&self, pod: &Pod) -> Option<u16> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Name(name) => {
                let containers = pod.spec.iter().flat_map(|spec| {
                    let initial = spec.init_containers.iter().flatten();
                    spec.containers.iter().chain(initial)
                });
                let mut ports = containers.flat_map(|it| it.ports.iter().flatten());
                let port = ports.find(|port| port.name.as_deref() == Some(name.as_str()))?;
                u16::try_from(port.container_port).ok()
            }
        }
    }
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .iter()
        .flat_map(|it| it.conditions.iter().flatten());
    pod.metadata.deletion_timestamp.is_none()
        && conditions
            .into_iter()
            .any(|it| it.type_ == "Ready" && it.status == "True")
}
