//! Whether the server is there, and whether what is seen of it is the present.
//!
//! Every answer counts; where none came for a while, the server is asked for one. What the watches show may be the past: a
//! watch hangs, a server died. So a snapshot is taken before it is decided that all is ready.

use std::time::Duration;

use http::Request;
use kube::client::Body;
use tokio::time::Instant;

use crate::{
    cluster::{
        request::{Exchanged, exchange},
        view::View,
    },
    deploy::{Answer, Deployment},
    report::one_line,
};

/// After so long without an answer one is asked for.
const SILENCE: Duration = Duration::from_secs(5);
/// The pause between two snapshots.
const AGAIN: Duration = Duration::from_secs(1);

/// What is known of the server itself.
#[derive(Debug)]
pub(super) struct Pulse {
    /// When it answered last.
    heard: Instant,
    /// What was met since, where it was no answer.
    met: Option<String>,
    asking: bool,
    next: Instant,
    /// Whether a snapshot that came since the last step shows that all is ready.
    pub(super) is_confirmed: bool,
    /// Whether a snapshot is being taken.
    taking: bool,
    /// When the last one was taken.
    taken: Option<Instant>,
    /// Why the last one does not confirm that all is ready.
    pub(super) unconfirmed: Option<String>,
}

impl Pulse {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            heard: now,
            met: None,
            asking: false,
            next: now,
            is_confirmed: false,
            taking: false,
            taken: None,
            unconfirmed: None,
        }
    }

    /// Takes in how a request ended: with an answer, or with what it met instead.
    pub(super) fn note(&mut self, met: Option<String>) {
        if met.is_none() {
            self.heard = Instant::now();
        }
        self.met = met;
    }

    /// Takes in what the server said when it was asked for no more than an answer.
    pub(super) fn felt(&mut self, met: Option<String>) {
        self.asking = false;
        self.next = Instant::now() + SILENCE;
        self.note(met);
    }

    /// For how long the server has not answered, and what the last request met; none where it answers.
    pub(super) fn silence(&self) -> Option<(Duration, &str)> {
        let met = self.met.as_deref()?;
        Some((self.heard.elapsed(), met))
    }
}

impl Deployment<'_> {
    /// Asks for an answer where there was none for a while.
    pub(super) fn feel_pulse(&mut self) {
        let now = Instant::now();
        let pulse = &mut self.pulse;
        if pulse.asking || pulse.next > now || pulse.heard.elapsed() < SILENCE {
            return;
        }
        pulse.asking = true;
        let client = self.client.0.clone();
        self.ask(async move { Answer::Pulse(answers(&client).await.err()) });
    }

    /// Has a snapshot taken; the step in which it comes may end it all.
    pub(super) fn take_snapshot(&mut self) {
        let pulse = &mut self.pulse;
        let is_early = pulse.taken.is_some_and(|when| when.elapsed() < AGAIN);
        if pulse.taking || is_early {
            return;
        }
        pulse.taking = true;
        let taking = self.watches.snapshot();
        self.ask(async move { Answer::Snapshot(taking.await) });
    }

    /// Takes in a snapshot: whether it too says that all is ready. Where it does not, the watches have missed something.
    pub(super) fn confirm(&mut self, snapshot: Result<View, String>) {
        self.pulse.taking = false;
        self.pulse.taken = Some(Instant::now());
        let unconfirmed = match snapshot {
            Ok(snapshot) => {
                self.pulse.note(None);
                let unready = self.unready(&snapshot);
                if unready.is_some() {
                    self.watches.renew();
                }
                unready
            }
            Err(reason) => Some(reason),
        };
        self.pulse.is_confirmed = unconfirmed.is_none();
        self.pulse.unconfirmed = unconfirmed;
    }

    /// The first that is not ready in a snapshot.
    fn unready(&self, snapshot: &View) -> Option<String> {
        let judged = self.judge(snapshot);
        let unready = judged.iter().find(|(_, it)| !it.verdict.is_ready());
        let of_the_set = unready.map(|(at, judged)| {
            let missing = judged.verdict.missing().cloned().unwrap_or_default();
            format!("{}: {missing}", self.plan.objects[*at].id)
        });
        of_the_set.or_else(|| self.unready_company(snapshot))
    }

    /// Has a request made, whose answer wakes the loop.
    pub(super) fn ask(&mut self, request: impl Future<Output = Answer> + Send + 'static) {
        let (answer, notify) = (self.answer.clone(), self.notify.clone());
        self.requests.spawn(async move {
            let result = request.await;
            // Whoever asked may have given up.
            drop(answer.send(result));
            notify.notify_one();
        });
    }
}

/// Asks for no more than an answer. One that says "no" is one, too.
async fn answers(client: &kube::Client) -> Result<(), String> {
    let request = Request::get("/readyz")
        .body(Body::empty())
        .map_err(|error| error.to_string())?;
    let Exchanged { code, text, .. } = exchange(client, request).await?;
    if code < 500 {
        Ok(())
    } else {
        Err(one_line(&format!("HTTP {code}: {text}")))
    }
}
