//! A KinD cluster: its configuration, its image, its creation.
//!
//! Given a Docker that answers and a kind; does not trust kind to know when a cluster is ready (see [`super::up`]).

pub mod facts;
pub mod up;

use std::path::Path;

use serde_json::{Value, json};
use url::Url;

use crate::{
    host::{HostError, check, engine::Engine, quoted},
    limits::Deadline,
    report::{BadInput, Exit, Explain, one_line},
    yaml,
};

/// Why there is no cluster.
#[derive(Debug, thiserror::Error)]
pub enum KindError {
    /// The node image is neither there nor can it be pulled.
    #[error("cannot pull the node image {image}: {reason}")]
    Image {
        /// Its name.
        image: String,
        /// What Docker said.
        reason: String,
    },
    /// A port of the configuration is taken.
    #[error("a port that the cluster needs is in use: {reason}")]
    Port {
        /// What Docker said.
        reason: String,
    },
    /// kind failed.
    #[error("kind could not create the cluster {name}: {reason}")]
    Create {
        /// Name of the cluster.
        name: String,
        /// Its last error line.
        reason: String,
        /// The end of what it printed.
        output: String,
    },
    /// It was created, but is not usable.
    #[error("the cluster is not ready: {0}")]
    NotReady(String),
    /// The cluster said no.
    #[error("the cluster refuses to say whether it is ready")]
    Refused(#[source] kube::Error),
    /// The host failed.
    #[error(transparent)]
    Host(#[from] HostError),
}

impl Explain for KindError {
    fn exit(&self) -> Exit {
        match self {
            Self::NotReady(_) => Exit::TimeLimit,
            Self::Host(error) => error.exit(),
            _ => Exit::Infrastructure,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Image { .. } => Some(
                "check node-image and the way to its registry, or put the image there beforehand (`docker load`)"
                    .to_owned(),
            ),
            Self::Port { .. } => {
                Some("free that port, or take the fixed ports out of the file named by config".to_owned())
            }
            Self::Create { .. } => Some("its nodes are kept for gather-logs; teardown removes them".to_owned()),
            Self::NotReady(_) => Some("gather-logs tells more; teardown removes the cluster".to_owned()),
            Self::Refused(_) => None,
            Self::Host(error) => error.hint(),
        }
    }

    fn details(&self) -> Vec<String> {
        match self {
            Self::Create { output, .. } => output.lines().map(str::to_owned).collect(),
            Self::Host(error) => error.details(),
            _ => Vec::new(),
        }
    }
}

/// What kind is given to read: the template of `kind/`, or the user's file, with the workers added.
///
/// The API server is bound to the host's loopback in any case.
///
/// # Errors
/// [`BadInput`] for a file that is no KinD configuration.
pub fn config(file: Option<&Path>, workers: u8) -> Result<String, BadInput> {
    let bad = |reason: String| BadInput {
        input: "config",
        reason,
        remedy: Some("it has to be a KinD configuration (kind: Cluster)".to_owned()),
    };
    let name = file.map_or_else(String::new, |file| file.display().to_string());
    let bytes = match file {
        Some(file) => {
            std::fs::read(file).map_err(|error| bad(format!("cannot read {name}: {error}")))?
        }
        None => include_bytes!("../kind/cluster.yaml").to_vec(),
    };
    let read = yaml::decode(bytes).and_then(|text| yaml::one(&text));
    let mut config =
        read.map_err(|fault| bad(format!("{name}:{}: {}", fault.line, fault.reason)))?;
    if config["kind"] != "Cluster" {
        return Err(bad("it is not of kind Cluster".to_owned()));
    }
    let nodes = entry(&mut config, "nodes", json!([]));
    let nodes = nodes
        .as_array_mut()
        .ok_or_else(|| bad("its nodes are no list".to_owned()))?;
    if nodes.is_empty() {
        nodes.push(json!({"role": "control-plane"}));
    }
    nodes.extend((0..workers).map(|_| json!({"role": "worker"})));
    let networking = entry(&mut config, "networking", json!({}));
    networking
        .as_object_mut()
        .ok_or_else(|| bad("its networking is no mapping".to_owned()))?
        .insert("apiServerAddress".to_owned(), "127.0.0.1".into());
    Ok(yaml::write(&config))
}

/// A field of a map, made if it is absent.
fn entry<'a>(config: &'a mut Value, key: &str, or: Value) -> &'a mut Value {
    let config = config.as_object_mut().expect("it has a kind");
    config.entry(key).or_insert(or)
}

/// The `hosts.toml` of each registry that has a mirror.
///
/// # Errors
/// [`BadInput`] for a line that is neither `registry=URL` nor a URL.
pub fn mirrors(lines: &[String]) -> Result<Vec<(String, String)>, BadInput> {
    let mut files: Vec<(String, String)> = Vec::new();
    for line in lines {
        let (registry, parsed) = mirror(line)?;
        let url = parsed.as_str().trim_end_matches('/').replace('"', "%22");
        let mut entry = format!("[host.\"{url}\"]\n  capabilities = [\"pull\", \"resolve\"]\n");
        if parsed.path() != "/" {
            entry.push_str("  override_path = true\n");
        }
        match files.iter_mut().find(|(known, _)| *known == registry) {
            Some((_, file)) => file.push_str(&entry),
            None => files.push((registry, entry)),
        }
    }
    Ok(files)
}

/// A registry (`_default` for all that have no mirror of their own) and the URL of its mirror.
///
/// # Errors
/// [`BadInput`] for a line that is neither `registry=URL` nor a URL.
pub fn mirror(line: &str) -> Result<(String, Url), BadInput> {
    let (registry, url) = match line.split_once('=') {
        Some((registry, url)) if !registry.contains("://") => (registry.trim(), url.trim()),
        _ => ("_default", line.trim()),
    };
    let parsed = Url::parse(url)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '_');
    parsed
        .filter(|_| !registry.is_empty() && registry.chars().all(plain))
        .map(|url| (registry.to_owned(), url))
        .ok_or_else(|| BadInput {
            input: "registry-mirrors",
            reason: format!("`{line}` names no mirror"),
            remedy: Some(
                "write `docker.io=https://mirror.gcr.io`, or a URL alone for all registries"
                    .to_owned(),
            ),
        })
}

/// Has the node image on the host: pulled, unless it is there.
///
/// # Errors
/// [`KindError::Image`].
pub(crate) async fn image(
    engine: &Engine,
    image: &str,
    deadline: Deadline,
) -> Result<(), KindError> {
    let quoted = quoted(image);
    let there = engine.command(format!("docker image inspect {quoted} >/dev/null 2>&1"));
    if engine.host.run(&there, deadline).await?.status == 0 {
        return Ok(());
    }
    tracing::info!("pulling {image}");
    let pull = engine
        .command(format!("exec docker pull -q {quoted} </dev/null"))
        .detached("pull");
    match check(&*engine.host, &format!("pull {image}"), &pull, deadline).await {
        Ok(_) => Ok(()),
        Err(HostError::Failed { output, .. }) => Err(KindError::Image {
            image: image.to_owned(),
            reason: one_line(output.lines().last().unwrap_or_default()),
        }),
        Err(error) => Err(error.into()),
    }
}

/// Creates the cluster; when kind fails, its nodes are kept for whoever looks for the cause.
///
/// # Errors
/// [`KindError::Port`], [`KindError::Create`].
pub(crate) async fn create(
    engine: &Engine,
    kind: &str,
    name: &str,
    image: &str,
    config: &str,
    deadline: Deadline,
) -> Result<(), KindError> {
    let script = format!(
        "KIND={} NAME={} IMAGE={}\n{}",
        quoted(kind),
        quoted(name),
        quoted(image),
        include_str!("kind/create.sh")
    );
    let command = engine
        .command(script)
        .stdin(config)
        .streamed()
        .detached("kind-create");
    let what = format!("create the cluster {name}");
    match check(&*engine.host, &what, &command, deadline).await {
        Ok(_) => Ok(()),
        Err(HostError::Failed { output, .. }) => Err(not_created(name, output)),
        Err(error) => Err(error.into()),
    }
}

/// Why kind has made no cluster, by what it printed.
fn not_created(name: &str, output: String) -> KindError {
    // Docker says "already in use" of the name of a container too.
    const PORT: [&str; 2] = ["address already in use", "port is already allocated"];
    let line = |wanted: &[&str]| {
        output
            .lines()
            .find(|line| wanted.iter().any(|text| line.contains(text)))
            .map(one_line)
    };
    match line(&PORT) {
        Some(reason) => KindError::Port { reason },
        None => KindError::Create {
            name: name.to_owned(),
            reason: line(&["ERROR:", "Error"])
                .unwrap_or_else(|| one_line(output.lines().last().unwrap_or_default())),
            output,
        },
    }
}

/// The kubeconfig of a cluster as kind writes it, for use on its host.
///
/// # Errors
/// [`KindError::Host`].
pub(crate) async fn kubeconfig(
    engine: &Engine,
    kind: &str,
    name: &str,
    deadline: Deadline,
) -> Result<String, KindError> {
    let script = format!(
        "exec {} get kubeconfig --name {}",
        quoted(kind),
        quoted(name)
    );
    Ok(engine.ask("get the kubeconfig", script, deadline).await?)
}

/// Tells the nodes' containerd which mirrors to ask first; it reads them at the next pull.
///
/// # Errors
/// [`KindError::Host`].
pub(crate) async fn write_mirrors(
    engine: &Engine,
    name: &str,
    mirrors: &[(String, String)],
    deadline: Deadline,
) -> Result<(), KindError> {
    if mirrors.is_empty() {
        return Ok(());
    }
    let files: Vec<String> = mirrors
        .iter()
        .map(|(registry, file)| {
            format!(
                "mkdir -p {registry}; printf %s {} >{registry}/hosts.toml",
                quoted(file)
            )
        })
        .collect();
    let inner = format!(
        "set -e; mkdir -p /etc/containerd/certs.d; cd /etc/containerd/certs.d\n{}",
        files.join("\n")
    );
    let script = format!(
        "for node in $(docker ps --filter label=io.x-k8s.kind.cluster={name} --format '{{{{.Names}}}}'); do\n\
         case $node in *-external-load-balancer) continue ;; esac\n\
         docker exec \"$node\" sh -c {} || exit; done",
        quoted(&inner)
    );
    engine
        .ask("write the registry mirrors", script, deadline)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests;
