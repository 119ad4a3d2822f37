//! The one constructor of HTTP clients, so that none of them waits without a limit.
//!
//! Clients of AWS, Kubernetes and GitHub's API have their own. Proxies are those of the environment, as reqwest reads them.

use std::time::Duration;

/// Limit for a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// How long a server may be silent in the middle of an answer.
const READ_LIMIT: Duration = Duration::from_secs(30);
/// As servers see us.
const USER_AGENT: &str = concat!("manifests-e2e/", env!("CARGO_PKG_VERSION"));

/// A client with limits for a connection and for a silence, and with our user agent.
///
/// # Errors
/// When TLS cannot be set up.
pub(crate) fn client() -> reqwest::Result<reqwest::Client> {
    builder().build()
}

/// The same, for a caller with tighter limits or another rule for redirects.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub(crate) fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_LIMIT)
        .read_timeout(READ_LIMIT)
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncBufReadExt as _, BufReader},
        net::TcpListener,
        time::Instant,
    };

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_server_that_is_silent_is_given_up_and_knows_who_asked() {
        drop(rustls::crypto::ring::default_provider().install_default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let server = async {
            let (stream, _) = listener.accept().await.unwrap();
            let mut lines = BufReader::new(stream).lines();
            let mut head = Vec::new();
            while let Some(line) = lines.next_line().await.unwrap() {
                if line.is_empty() {
                    break;
                }
                head.push(line);
            }
            (head, lines)
        };
        let asked = Instant::now();
        let request = client().unwrap().get(url).send();
        let request = tokio::time::timeout(READ_LIMIT * 2, request);
        let (answer, (head, _open)) = tokio::join!(request, server);
        assert!(answer.unwrap().unwrap_err().is_timeout());
        assert!(asked.elapsed() <= READ_LIMIT + Duration::from_secs(1));
        assert!(
            head.contains(&format!("user-agent: {USER_AGENT}")),
            "{head:?}"
        );
    }
}
