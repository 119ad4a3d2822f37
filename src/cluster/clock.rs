//! What time it is at the server, as the `Date` of its answers tells it. By it the ages of what the server wrote down are
//! measured: the clock of this machine may be another.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use http::{HeaderMap, header};
use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use kube::Client;

/// A difference of two clocks, in seconds, that an answer under way explains.
const SAME_TIME: i64 = 2;

/// The server's clock.
#[derive(Clone, Debug, Default)]
pub struct ServerClock {
    /// Seconds by which the server's clock is ahead of ours; negative where it is behind.
    ahead: Arc<AtomicI64>,
}

impl ServerClock {
    /// Takes in the headers of an answer.
    fn hear(&self, headers: &HeaderMap) {
        let date = headers.get(header::DATE).and_then(|it| it.to_str().ok());
        let Some(there) = date.and_then(|date| rfc2822::parse(date).ok()) else {
            return;
        };
        let ahead = there.timestamp().as_second() - Timestamp::now().as_second();
        let ahead = if ahead.abs() <= SAME_TIME { 0 } else { ahead };
        self.ahead.store(ahead, Ordering::Relaxed);
    }

    /// A client by whose answers the clock is set.
    pub fn listening(&self, client: &Client) -> Client {
        let namespace = client.default_namespace().to_owned();
        let (client, clock) = (client.clone(), self.clone());
        let service = tower::service_fn(move |request| {
            let (client, clock) = (client.clone(), clock.clone());
            async move {
                let answer = client.send(request).await?;
                clock.hear(answer.headers());
                Ok::<_, kube::Error>(answer)
            }
        });
        Client::new(service, namespace)
    }

    /// What time it is there.
    pub fn now(&self) -> Timestamp {
        let ahead = SignedDuration::from_secs(self.ahead.load(Ordering::Relaxed));
        let here = Timestamp::now();
        here.checked_add(ahead).unwrap_or(here)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_the_servers_and_an_answer_under_way_moves_no_clock() {
        for (ahead, expected) in [(0, 0), (2, 0), (-2, 0), (1800, 1800), (-90, -90)] {
            let clock = ServerClock::default();
            let there = Timestamp::now() + SignedDuration::from_secs(ahead);
            let mut headers = HeaderMap::new();
            let date = there.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
            headers.insert(header::DATE, date.parse().unwrap());
            clock.hear(&headers);
            let found = clock.now().duration_since(Timestamp::now()).as_secs();
            assert!(
                (expected - 1..=expected).contains(&found),
                "{ahead}: {found}"
            );
            // An answer without a date tells nothing.
            clock.hear(&HeaderMap::new());
            assert!(clock.now().duration_since(Timestamp::now()).as_secs() - found <= 1);
        }
    }
}
