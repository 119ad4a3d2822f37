//! Whether a registry has an image: a HEAD for its manifest, with the token that anybody gets.
//!
//! Given no credentials, fetches no layer. Asks a registry's mirrors first, as the nodes do: an image is gone only where
//! all of them and the registry itself say so. A registry that failed once is not asked again.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::Duration,
};

use futures::{StreamExt as _, stream};
use http::{Method, StatusCode, header};
use tokio::sync::OnceCell;
use url::Url;

use crate::{http_client, limits::Deadline, report::innermost, set::images::Reference};

/// Requests under way at once.
const AT_ONCE: usize = 16;
/// One request takes no longer.
const REQUEST: Duration = Duration::from_secs(8);
/// Nor does a connection.
const CONNECT: Duration = Duration::from_secs(4);
/// All of them together: a deployment is not held up by those who guard its images.
const PATIENCE: Duration = Duration::from_secs(25);
/// Every form of a manifest; a registry says "not found" of one in a form that is not asked for.
const FORMS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
                     application/vnd.docker.distribution.manifest.list.v2+json, \
                     application/vnd.docker.distribution.manifest.v2+json, \
                     application/vnd.docker.distribution.manifest.v1+prettyjws, */*";

/// What is known of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A registry has it.
    There,
    /// Nobody who would be asked for it has it.
    Gone {
        /// Who says so.
        by: String,
    },
    /// It cannot be told.
    Unclear {
        /// The registry, or its mirror.
        host: String,
        /// What it met or said.
        reason: String,
    },
}

/// The registries, and what is known of each.
#[derive(Debug)]
pub struct Registries {
    client: reqwest::Client,
    /// Registry (or `_default`) and the base of a mirror's API.
    mirrors: Vec<(String, Url)>,
    /// By name: the base of its API, or why it is not asked.
    bases: Mutex<HashMap<String, Arc<Base>>>,
}

type Base = OnceCell<Result<String, String>>;

/// Somebody who may have an image.
#[derive(Clone, Debug)]
struct Candidate {
    /// As it is told.
    name: String,
    /// The base of its API, where it is known beforehand.
    base: Option<String>,
}

impl Registries {
    /// The world's registries, and these mirrors: registry (`_default` for all others) and URL.
    ///
    /// # Errors
    /// When no client can be made; as text.
    pub fn new(mirrors: Vec<(String, Url)>) -> Result<Self, String> {
        let client = http_client::builder()
            .connect_timeout(CONNECT)
            .timeout(REQUEST)
            .build()
            .map_err(|error| said(&error))?;
        Ok(Self {
            client,
            mirrors,
            bases: Mutex::default(),
        })
    }

    /// Asks for each image; those without an answer in time are left out.
    pub async fn ask(
        &self,
        images: impl Iterator<Item = Reference>,
        deadline: Deadline,
    ) -> BTreeMap<Reference, Answer> {
        let deadline = deadline.within(PATIENCE);
        let images: Vec<Reference> = images.collect();
        let one = async |image: Reference| {
            let answer = self.of(&image).await;
            (image, answer)
        };
        let mut answers = stream::iter(images).map(one).buffer_unordered(AT_ONCE);
        let mut all = BTreeMap::new();
        while let Ok(Some((image, answer))) = deadline.bound(answers.next()).await {
            all.insert(image, answer);
        }
        all
    }

    async fn of(&self, image: &Reference) -> Answer {
        let mut without = Vec::new();
        let mut unclear = None;
        for source in self.sources(image) {
            match self.at(&source, image).await {
                Ok(true) => return Answer::There,
                Ok(false) => without.push(source.name),
                Err(reason) => unclear = Some((source.name, reason)),
            }
        }
        match unclear {
            None => Answer::Gone {
                by: match without.as_slice() {
                    [one] => format!("{one} answers 404"),
                    all => format!("{} answer 404", all.join(" and ")),
                },
            },
            Some((host, mut reason)) => {
                if !without.is_empty() {
                    reason.extend([" (", &without.join(" and "), " answers 404)"]);
                }
                Answer::Unclear { host, reason }
            }
        }
    }

    /// Its mirrors, those for all registries where it has none of its own, and itself.
    fn sources(&self, image: &Reference) -> Vec<Candidate> {
        let of = |wanted: &str| {
            let mirrors = self.mirrors.iter();
            let found = mirrors.filter(|(registry, _)| registry == wanted);
            found
                .map(|(_, url)| Candidate {
                    name: url.as_str().trim_end_matches('/').to_owned(),
                    base: Some(base_of(url)),
                })
                .collect::<Vec<_>>()
        };
        let mut sources = of(&image.registry);
        if sources.is_empty() {
            sources = of("_default");
        }
        sources.push(Candidate {
            name: image.registry.clone(),
            base: None,
        });
        sources
    }

    /// Whether it has the image.
    async fn at(&self, source: &Candidate, image: &Reference) -> Result<bool, String> {
        let known = {
            let mut bases = self.bases.lock().unwrap_or_else(PoisonError::into_inner);
            bases.entry(source.name.clone()).or_default().clone()
        };
        let base = known.get_or_init(|| self.base(source)).await.clone()?;
        let mut url = format!("{base}/{}/manifests/{}", image.repository, image.version());
        if source.base.is_some() {
            // A mirror of several registries is told which is meant.
            url.extend(["?ns=", &image.registry]);
        }
        let mut answer = self.manifest(&url, None).await?;
        if answer.status() == StatusCode::UNAUTHORIZED
            && let Some(challenge) = challenge(&answer, image)
        {
            let token = self.token(&challenge).await?;
            answer = self.manifest(&url, Some(&token)).await?;
        }
        match answer.status() {
            status if status.is_success() => Ok(true),
            StatusCode::NOT_FOUND => Ok(false),
            status => Err(meaning(status)),
        }
    }

    /// The base of its API, once it answers at all.
    async fn base(&self, source: &Candidate) -> Result<String, String> {
        let bases = match &source.base {
            Some(base) => vec![base.clone()],
            None => guesses(&source.name),
        };
        let mut reason = String::new();
        for base in bases {
            match self.client.get(format!("{base}/")).send().await {
                // What a TLS server says to plain HTTP.
                Ok(answer) if answer.status() == StatusCode::BAD_REQUEST => {
                    reason = meaning(answer.status());
                }
                Ok(answer) if is_out_of_order(answer.status()) => {
                    return Err(meaning(answer.status()));
                }
                Ok(_) => return Ok(base),
                Err(error) => reason = format!("it cannot be reached: {}", said(&error)),
            }
        }
        Err(reason)
    }

    async fn manifest(&self, url: &str, token: Option<&str>) -> Result<reqwest::Response, String> {
        let send = async |method: Method| {
            let mut request = self
                .client
                .request(method, url)
                .header(header::ACCEPT, FORMS);
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            request.send().await.map_err(|error| said(&error))
        };
        let answer = send(Method::HEAD).await?;
        if matches!(
            answer.status(),
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED
        ) {
            return send(Method::GET).await;
        }
        Ok(answer)
    }

    /// The token that it gives to anybody.
    async fn token(&self, challenge: &Url) -> Result<String, String> {
        #[derive(serde::Deserialize)]
        struct Given {
            token: Option<String>,
            access_token: Option<String>,
        }
        let answer = self.client.get(challenge.clone()).send().await;
        let answer = answer.map_err(|error| format!("its token service: {}", said(&error)))?;
        if !answer.status().is_success() {
            return Err(meaning(answer.status()));
        }
        let text = answer.text().await.map_err(|error| said(&error))?;
        serde_json::from_str::<Given>(&text)
            .ok()
            .and_then(|given| given.token.or(given.access_token))
            .ok_or_else(|| "its token service gives no token".to_owned())
    }
}

/// The base of a mirror's API: with a path of its own it is one already, as containerd has it.
fn base_of(mirror: &Url) -> String {
    let url = mirror.as_str().trim_end_matches('/');
    if mirror.path() == "/" {
        format!("{url}/v2")
    } else {
        url.to_owned()
    }
}

/// Where a registry may answer. One on this machine or a private network may speak plain HTTP.
fn guesses(registry: &str) -> Vec<String> {
    let host = if registry == "docker.io" {
        "registry-1.docker.io"
    } else {
        registry
    };
    let safe = format!("https://{host}/v2");
    if is_near(host) {
        vec![format!("http://{host}/v2"), safe]
    } else {
        vec![safe]
    }
}

fn is_near(host: &str) -> bool {
    let Ok(url) = Url::parse(&format!("http://{host}/")) else {
        return false;
    };
    let name = url.host_str().unwrap_or_default();
    match name.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => {
            address.is_loopback() || address.is_private() || address.is_link_local()
        }
        Ok(IpAddr::V6(address)) => address.is_loopback() || address.is_unique_local(),
        Err(_) => !name.contains('.'),
    }
}

/// Whether asking for a single image would bring no more.
fn is_out_of_order(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}

fn meaning(status: StatusCode) -> String {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            format!("without credentials it says {status}: private, or not there")
        }
        StatusCode::TOO_MANY_REQUESTS => format!("it was asked too often ({status})"),
        status => format!("it answers {status}"),
    }
}

/// Where to get a token for reading the image: what `WWW-Authenticate` says.
fn challenge(answer: &reqwest::Response, image: &Reference) -> Option<Url> {
    static PART: LazyLock<regex::Regex> = LazyLock::new(|| {
        regex::Regex::new(r#"([a-zA-Z_]+)\s*=\s*(?:"([^"]*)"|([^\s,"]+))"#)
            .expect("the pattern is valid")
    });
    let headers = answer.headers().get_all(header::WWW_AUTHENTICATE).iter();
    let bearer = headers
        .filter_map(|value| value.to_str().ok())
        .find_map(|value| {
            let (scheme, rest) = value.trim().split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(rest)
        })?;
    let parts: HashMap<String, &str> = PART
        .captures_iter(bearer)
        .filter_map(|part| {
            let value = part.get(2).or(part.get(3))?.as_str();
            Some((part[1].to_ascii_lowercase(), value))
        })
        .collect();
    let mut url = Url::parse(parts.get("realm")?).ok()?;
    if !matches!(url.scheme(), "http" | "https") {
        return None;
    }
    let own = format!("repository:{}:pull", image.repository);
    let scope = parts.get("scope").copied().unwrap_or(&own);
    {
        let mut query = url.query_pairs_mut();
        if let Some(service) = parts.get("service") {
            query.append_pair("service", service);
        }
        query.append_pair("scope", scope);
    }
    Some(url)
}

/// The innermost cause: reqwest's own text names only the URL.
fn said(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    innermost(error)
}

#[cfg(test)]
mod tests;
