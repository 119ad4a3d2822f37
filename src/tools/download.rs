//! A release file, downloaded once, verified each time it is used.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use backon::{ExponentialBuilder, Retryable as _};
use sha2::{Digest as _, Sha256};

use super::{Tool, ToolError, arch_name, versions};
use crate::{
    cli::Arch, http_client, inputs::Environment, limits::Deadline, record::Store, report::innermost,
};

/// Where releases come from; a mirror with the same paths stands in by `MANIFESTS_E2E_DOWNLOADS`.
const RELEASES: &str = "https://github.com";
/// No release file is larger.
const MAX_BYTES: u64 = 256 << 20;

/// A failed attempt, and whether another may do better.
struct DownloadFailure {
    reason: String,
    again: bool,
}

/// A release file as it is pinned.
struct Asset {
    wanted: &'static str,
    place: String,
    cached: PathBuf,
    url: String,
}

impl Asset {
    fn of(
        tool: Tool,
        version: &str,
        arch: Arch,
        env: &Environment,
        store: &Store,
    ) -> Result<Self, ToolError> {
        let wanted = versions::sha256(tool, version, arch).ok_or_else(|| ToolError::Unknown {
            tool: tool.name(),
            version: version.to_owned(),
            arch: arch_name(arch),
            known: versions::known(tool),
        })?;
        let place = format!("{}-{version}-{}", tool.name(), arch_name(arch));
        Ok(Self {
            wanted,
            cached: cache(env, store).join(format!("{place}.asset")),
            url: url(tool, version, arch, env),
            place,
        })
    }
}

/// The path of a verified tool; what the cache holds is verified again before it is used.
pub(super) async fn fetch(
    tool: Tool,
    version: &str,
    arch: Arch,
    env: &Environment,
    store: &Store,
    deadline: Deadline,
) -> Result<PathBuf, ToolError> {
    let pinned = Asset::of(tool, version, arch, env, store)?;
    let program = store.path("tools").join(&pinned.place).join(tool.name());
    // The state directory is this user's alone: what is there was verified by us.
    if program.is_file() {
        return Ok(program);
    }
    let bytes = asset(&pinned.url, pinned.wanted, &pinned.cached, deadline).await?;
    let binary = match tool {
        Tool::Kind => bytes,
        Tool::Kustomize => unpack(&bytes, tool.name()).map_err(|source| ToolError::File {
            what: "unpack",
            path: pinned.cached,
            source,
        })?,
    };
    write(&program, &binary, 0o755)?;
    Ok(program)
}

/// Where a tool would be taken from, in a few words.
pub(super) async fn look(
    tool: Tool,
    version: &str,
    arch: Arch,
    env: &Environment,
    store: &Store,
    deadline: Deadline,
) -> Result<String, ToolError> {
    let pinned = Asset::of(tool, version, arch, env, store)?;
    if held(&pinned.cached, pinned.wanted).is_some() {
        return Ok(format!("is cached: {}", pinned.cached.display()));
    }
    let url = pinned.url;
    let failed = |reason: String| ToolError::Download {
        url: url.clone(),
        reason,
    };
    let client = http_client::client().map_err(|error| failed(innermost(&error)))?;
    let asked = client.head(&url).timeout(Duration::from_secs(20)).send();
    let answer = deadline
        .bound(asked)
        .await
        .map_err(|passed| failed(passed.to_string()))?;
    let status = answer.map_err(|error| failed(innermost(&error)))?.status();
    if status.is_success() {
        Ok(format!("comes from {url}"))
    } else {
        Err(failed(format!("the server says {status}")))
    }
}

/// The bytes with that hash, out of the cache or from afar.
async fn asset(
    url: &str,
    wanted: &'static str,
    cached: &Path,
    deadline: Deadline,
) -> Result<Vec<u8>, ToolError> {
    if let Some(bytes) = held(cached, wanted) {
        return Ok(bytes);
    }
    let bytes = download(url, deadline).await?;
    let found = sha256(&bytes);
    if found != wanted {
        return Err(ToolError::Corrupt {
            url: url.to_owned(),
            found,
            wanted,
        });
    }
    write(cached, &bytes, 0o644)?;
    Ok(bytes)
}

/// What the cache holds, where it has that hash.
fn held(cached: &Path, wanted: &str) -> Option<Vec<u8>> {
    let bytes = fs::read(cached).ok()?;
    (sha256(&bytes) == wanted).then_some(bytes)
}

fn url(tool: Tool, version: &str, arch: Arch, env: &Environment) -> String {
    let base = env.get("MANIFESTS_E2E_DOWNLOADS").unwrap_or(RELEASES);
    let base = base.trim_end_matches('/');
    let arch = arch_name(arch);
    match tool {
        Tool::Kind => {
            format!("{base}/kubernetes-sigs/kind/releases/download/{version}/kind-linux-{arch}")
        }
        Tool::Kustomize => format!(
            "{base}/kubernetes-sigs/kustomize/releases/download/kustomize%2F{version}/kustomize_{version}_linux_{arch}.tar.gz"
        ),
    }
}

fn cache(env: &Environment, store: &Store) -> PathBuf {
    let base = env
        .get("RUNNER_TOOL_CACHE")
        .or_else(|| env.get("XDG_CACHE_HOME"))
        .map(PathBuf::from)
        .or_else(|| env.get("HOME").map(|home| Path::new(home).join(".cache")));
    base.map_or_else(
        || store.path("tools"),
        |base| base.join("manifests-e2e").join("tools"),
    )
}

async fn download(url: &str, deadline: Deadline) -> Result<Vec<u8>, ToolError> {
    tracing::info!("downloading {url}");
    let failed = |reason: String| ToolError::Download {
        url: url.to_owned(),
        reason,
    };
    let client = http_client::client().map_err(|error| failed(innermost(&error)))?;
    let attempts = (|| attempt(&client, url))
        .retry(
            ExponentialBuilder::default()
                .with_jitter()
                .with_max_times(4),
        )
        .when(|attempt: &DownloadFailure| attempt.again)
        .notify(|attempt, pause| {
            tracing::warn!("{url}: {}; again in {pause:.1?}", attempt.reason);
        });
    deadline
        .bound(attempts)
        .await
        .map_err(|passed| failed(passed.to_string()))?
        .map_err(|attempt| failed(attempt.reason))
}

async fn attempt(client: &reqwest::Client, url: &str) -> Result<Vec<u8>, DownloadFailure> {
    let network = |error: reqwest::Error| DownloadFailure {
        reason: innermost(&error),
        again: true,
    };
    let mut response = client.get(url).send().await.map_err(network)?;
    let status = response.status();
    if !status.is_success() {
        return Err(DownloadFailure {
            reason: format!("the server says {status}"),
            again: status.is_server_error() || status.as_u16() == 429,
        });
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(network)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() as u64 > MAX_BYTES {
            return Err(DownloadFailure {
                reason: "it is larger than any release".to_owned(),
                again: false,
            });
        }
    }
    Ok(bytes)
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// The one program out of a `.tar.gz`.
fn unpack(archive: &[u8], name: &str) -> io::Result<Vec<u8>> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(archive));
    for entry in archive.entries()? {
        let mut entry = entry?;
        if entry.path()?.file_name() == Some(name.as_ref()) && entry.header().entry_type().is_file()
        {
            let mut bytes = Vec::new();
            io::copy(&mut entry, &mut bytes)?;
            return Ok(bytes);
        }
    }
    Err(io::Error::new(
        io::ErrorKind::NotFound,
        format!("it holds no {name}"),
    ))
}

/// Whole or not at all: another job of this machine may do the same now.
fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), ToolError> {
    let attempt = || -> io::Result<()> {
        let parent = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(parent)?;
        let mut file = tempfile::NamedTempFile::new_in(parent)?;
        io::Write::write_all(&mut file, bytes)?;
        file.as_file()
            .set_permissions(fs::Permissions::from_mode(mode))?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    attempt().map_err(|source| ToolError::File {
        what: "write",
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::{Router, http::StatusCode, routing::get};

    use super::*;
    use crate::limits::Limit;

    /// SHA-256 of `kind`.
    const KIND: &str = "0b27c158feb36ab18a10ff687909ec730ece6280581dd407e2672359be7725dd";

    static SERVED: AtomicUsize = AtomicUsize::new(0);

    /// A server with a good file behind one failure, a flipped one, and nothing else.
    async fn server() -> String {
        drop(rustls::crypto::ring::default_provider().install_default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shaky = || async {
            match SERVED.fetch_add(1, Ordering::SeqCst) {
                0 => Err(StatusCode::BAD_GATEWAY),
                _ => Ok("kind"),
            }
        };
        let router = Router::new()
            .route("/kind", get(shaky))
            .route("/flipped", get(|| async { "kinD" }));
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }

    #[tokio::test]
    async fn only_the_pinned_bytes_are_kept() {
        let url = server().await;
        let dir = tempfile::tempdir().unwrap();
        let cached = dir.path().join("asset");
        let deadline = Deadline::after(Limit::secs(60));

        let flipped = asset(&format!("{url}/flipped"), KIND, &cached, deadline).await;
        assert!(
            matches!(flipped, Err(ToolError::Corrupt { .. })),
            "{flipped:?}"
        );
        assert!(!cached.exists());
        let absent = asset(&format!("{url}/absent"), KIND, &cached, deadline).await;
        assert!(
            matches!(absent, Err(ToolError::Download { reason, .. }) if reason.contains("404"))
        );

        let good = asset(&format!("{url}/kind"), KIND, &cached, deadline).await;
        assert_eq!(good.unwrap(), b"kind");
        // Again from the cache, unless somebody changed it.
        asset("http://127.0.0.1:1/", KIND, &cached, deadline)
            .await
            .unwrap();
        assert_eq!(SERVED.load(Ordering::SeqCst), 2);
        fs::write(&cached, "evil").unwrap();
        let good = asset(&format!("{url}/kind"), KIND, &cached, deadline).await;
        assert_eq!(good.unwrap(), b"kind");
    }

    #[test]
    fn unpacks_the_program_alone() {
        let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(
            Vec::new(),
            flate2::Compression::fast(),
        ));
        for (name, text) in [("LICENSE", "text"), ("kustomize", "program")] {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_cksum();
            tar.append_data(&mut header, name, text.as_bytes()).unwrap();
        }
        let archive = tar.into_inner().unwrap().finish().unwrap();
        assert_eq!(unpack(&archive, "kustomize").unwrap(), b"program");
        assert!(unpack(&archive, "kind").is_err());
    }
}
