//! Which cluster is meant, and a client that reaches it.
//!
//! Given the input, the environment and the record, in this order. Never takes `~/.kube/config` by itself: that may be
//! anybody's production.

mod proxy;

use std::{
    env::split_paths,
    path::{Path, PathBuf},
    time::Duration,
};

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};

use crate::{
    host::{HostError, tunnel},
    inputs::Environment,
    limits::Deadline,
    record::Store,
    report::{Exit, Explain, innermost, one_line},
    wait::{self, Every, Status},
};

/// How long one connection attempt may take; a black hole answers never.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a cluster may refuse before it counts as out of reach: an API server that hangs for half a minute comes back.
const PATIENCE: Duration = Duration::from_secs(45);

/// A cluster that answered.
#[derive(Clone)]
pub struct Connected {
    /// The client. It tries once: whoever asks tells refusals apart, and waits as he sees fit.
    pub client: Client,
    /// What `KUBECONFIG` of another program has to be: a file, or several with colons in between.
    pub kubeconfig: String,
    /// The context in use.
    pub context: String,
    /// URL of the API server.
    pub server: String,
    /// Version of the API server, as `v1.35.4`.
    pub version: String,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum KubeconfigError {
    /// Nothing names a cluster.
    #[error(
        "no cluster is named: neither kubeconfig nor $KUBECONFIG is set, and no install-kind ran in this job"
    )]
    None,
    /// A file that is named does not exist.
    #[error("the kubeconfig {} does not exist", .0.display())]
    Missing(PathBuf),
    /// It cannot be read or does not say which server and user.
    #[error("the kubeconfig {file} cannot be used: {reason}")]
    Unusable {
        /// The file or files.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// The tunnel to the host could not be had.
    #[error("no tunnel to the cluster")]
    Tunnel(#[source] HostError),
    /// The server does not answer.
    #[error("cannot reach the cluster at {server}: {reason}")]
    Unreachable {
        /// Its URL.
        server: String,
        /// What the last attempt met.
        reason: String,
    },
    /// The server does not know us.
    #[error("the cluster at {server} refuses the credentials of {file}: {reason}")]
    Refused {
        /// Its URL.
        server: String,
        /// The file or files.
        file: String,
        /// What it said.
        reason: String,
    },
}

impl Explain for KubeconfigError {
    fn exit(&self) -> Exit {
        match self {
            Self::None | Self::Missing(_) | Self::Unusable { .. } | Self::Refused { .. } => {
                Exit::BadInput
            }
            Self::Tunnel(_) | Self::Unreachable { .. } => Exit::Infrastructure,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::None => {
                    "set kubeconfig to the file of a cluster that may be changed (~/.kube/config is never taken by itself)"
                }
                Self::Missing(_) => "name a file that exists, or leave kubeconfig empty after install-kind",
                Self::Unusable { .. } => {
                    "`kubectl config view --minify --flatten --raw` writes one that holds all that is needed"
                }
                Self::Refused { .. } => "have its credentials renewed",
                Self::Tunnel(error) => return error.hint(),
                Self::Unreachable { .. } => {
                    "is the cluster still up? `kubectl --kubeconfig … version` should answer"
                }
            }
            .to_owned(),
        )
    }
}

/// Connects to the cluster that is meant, and returns once its API server answered.
///
/// `given` is the input `kubeconfig`; else `$KUBECONFIG` counts, else the cluster of the record. Starts the tunnel again
/// where it died. Waits at most 45 s for a server that refuses.
///
/// # Errors
/// [`KubeconfigError`].
pub async fn connect(
    given: Option<&Path>,
    env: &Environment,
    store: &Store,
    deadline: Deadline,
) -> Result<Connected, KubeconfigError> {
    let files = files(given, env, store)?;
    let recorded = store.record().cluster.as_ref();
    if let Some(cluster) =
        recorded.filter(|cluster| files.iter().any(|file| same(file, &cluster.kubeconfig)))
        && cluster.tunnel.is_some()
    {
        tunnel::ensure(store, deadline)
            .await
            .map_err(KubeconfigError::Tunnel)?;
    }
    let shown = shown(&files);
    let unusable = |reason: String| KubeconfigError::Unusable {
        file: shown.clone(),
        reason,
    };
    let merged = read(&files).map_err(unusable)?;
    let context = merged.current_context.clone().unwrap_or_default();
    let own_proxy = proxy::of_kubeconfig(&merged, &context);
    if context.is_empty() {
        return Err(unusable("it has no current-context".to_owned()));
    }
    let mut config = Config::from_custom_kubeconfig(merged, &KubeConfigOptions::default())
        .await
        .map_err(|error| unusable(one_line(&error.to_string())))?;
    config.connect_timeout = Some(CONNECT);
    let server = config
        .cluster_url
        .to_string()
        .trim_end_matches('/')
        .to_owned();
    if config.cluster_url.host().is_none() {
        return Err(unusable(format!("its server `{server}` is no URL")));
    }
    config.proxy_url = match own_proxy {
        Some(url) => Some(
            url.parse()
                .map_err(|_| unusable("the `proxy-url` of its cluster is no URL".to_owned()))?,
        ),
        None => proxy::of_environment(&config.cluster_url, env),
    };
    // Kube's own retries would hide for minutes what was refused, and answer `Retry-After` out of our sight.
    config.default_retry = false;
    let client = Client::try_from(config).map_err(|error| unusable(innermost(&error)))?;
    let version = answer(&client, &server, &shown, deadline).await?;
    Ok(Connected {
        client,
        kubeconfig: shown,
        context,
        server,
        version,
    })
}

/// The version of the API server, once it answers.
async fn answer(
    client: &Client,
    server: &str,
    file: &str,
    deadline: Deadline,
) -> Result<String, KubeconfigError> {
    let refused = |reason: String| KubeconfigError::Refused {
        server: server.to_owned(),
        file: file.to_owned(),
        reason,
    };
    let unreachable = |reason: String| KubeconfigError::Unreachable {
        server: server.to_owned(),
        reason,
    };
    wait::until(
        format_args!("the cluster at {server}"),
        deadline.within(PATIENCE),
        Every::millis(500),
        || async {
            // One that hangs may never answer, while the next is answered at once.
            let asked = tokio::time::timeout(CONNECT, client.apiserver_version());
            let Ok(answer) = asked.await else {
                let seconds = CONNECT.as_secs();
                return Ok(Status::NotYet(format!("no answer within {seconds} s")));
            };
            match answer {
                Ok(info) => Ok(Status::Ready(info.git_version)),
                Err(kube::Error::Api(status)) if matches!(status.code, 401 | 403) => {
                    Err(refused(one_line(&status.message)))
                }
                Err(kube::Error::Auth(error)) => Err(refused(one_line(&error.to_string()))),
                Err(error) if is_certificate(&error) => Err(unreachable(innermost(&error))),
                Err(error) => Ok(Status::NotYet(innermost(&error))),
            }
        },
    )
    .await
    .map_err(|error| match error {
        wait::WaitError::TimedOut { last, .. } => unreachable(last),
        wait::WaitError::Failed(error) => error,
    })
}

/// The files that name the cluster: the input, else `$KUBECONFIG`, else the record.
fn files(
    given: Option<&Path>,
    env: &Environment,
    store: &Store,
) -> Result<Vec<PathBuf>, KubeconfigError> {
    let named = match (given, env.get("KUBECONFIG"), &store.record().cluster) {
        (Some(file), _, _) => vec![file.to_owned()],
        (None, Some(list), _) => split_paths(list)
            .filter(|file| !file.as_os_str().is_empty())
            .collect(),
        (None, None, Some(cluster)) => vec![cluster.kubeconfig.clone()],
        (None, None, None) => return Err(KubeconfigError::None),
    };
    // As kubectl does: of a list, those that do not exist do not count.
    let there: Vec<PathBuf> = named.iter().filter(|file| file.exists()).cloned().collect();
    match named.into_iter().next() {
        None => Err(KubeconfigError::None),
        Some(first) if there.is_empty() => Err(KubeconfigError::Missing(first)),
        Some(_) => Ok(there),
    }
}

fn read(files: &[PathBuf]) -> Result<Kubeconfig, String> {
    let mut merged = Kubeconfig::default();
    for file in files {
        let next = Kubeconfig::read_from(file).map_err(|error| one_line(&error.to_string()))?;
        merged = merged.merge(next).map_err(|error| error.to_string())?;
    }
    Ok(merged)
}

fn shown(files: &[PathBuf]) -> String {
    let names: Vec<String> = files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    names.join(":")
}

fn same(a: &Path, b: &Path) -> bool {
    a == b || matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

fn is_certificate(error: &kube::Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(this) = cause {
        if this.downcast_ref::<rustls::Error>().is_some() {
            return true;
        }
        cause = this.source();
    }
    let text = innermost(error);
    text.contains("invalid peer certificate")
}
