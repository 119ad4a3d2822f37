//! Whether the server is there, and whether what is seen of it is the present.
//!
//! Every answer counts; where none came for a while, the server is asked for one. A view is as old as its watches: it is
//! taken anew before it decides that all is ready, and now and then while a watch is broken.

use std::time::Duration;

use http::Request;
use kube::client::Body;
use tokio::time::Instant;

use crate::{
    cluster::request::exchange,
    deploy::{Answer, Deployment},
    report::one_line,
};

/// After so long without an answer one is asked for.
const SILENCE: Duration = Duration::from_secs(5);
/// The pause between two looks at a view that is to be relied on.
const AGAIN: Duration = Duration::from_secs(1);
/// A view whose watches broke so long ago is taken anew, and again after as long.
const OLD: Duration = Duration::from_secs(15);

/// What is known of the server itself.
#[derive(Debug)]
pub(super) struct Pulse {
    /// When it answered last.
    heard: Instant,
    /// What was met since, where it was no answer.
    met: Option<String>,
    asking: bool,
    next: Instant,
    /// Whether the view was taken anew since the last step, for all that there is.
    pub(super) is_fresh: bool,
    /// Whether it is being taken anew, and whether to decide the end.
    taking: Option<bool>,
    taken: Instant,
    /// Why the view could not be taken anew.
    pub(super) not_taken: Option<String>,
}

impl Pulse {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            heard: now,
            met: None,
            asking: false,
            next: now,
            is_fresh: false,
            taking: None,
            taken: now.checked_sub(OLD).unwrap_or(now),
            not_taken: None,
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

    /// Takes in whether the view is new.
    pub(super) fn took(&mut self, result: Result<(), String>) {
        let last = self.taking.take().unwrap_or(false);
        self.taken = Instant::now();
        if result.is_ok() {
            self.note(None);
        }
        self.is_fresh = last && result.is_ok();
        self.not_taken = result.err();
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

    /// Has the view taken anew while a watch is broken; what is not watched would never be seen.
    pub(super) fn look_past_broken_watches(&mut self) {
        let old = self.watches.view().old_since();
        if old.is_some_and(|since| since.elapsed() >= OLD) && self.pulse.taken.elapsed() >= OLD {
            self.take_anew(false);
        }
    }

    /// Has the view taken anew; the step that follows its end may rely on it, where it is the `last`.
    pub(super) fn take_anew(&mut self, last: bool) {
        let pulse = &mut self.pulse;
        if pulse.taking.is_some() || (pulse.not_taken.is_some() && pulse.taken.elapsed() < AGAIN) {
            return;
        }
        pulse.taking = Some(last);
        let taking = self.watches.anew();
        self.ask(async move { Answer::Anew(taking.await) });
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
    let (code, _, text) = exchange(client, request).await?;
    if code < 500 {
        Ok(())
    } else {
        Err(one_line(&format!("HTTP {code}: {text}")))
    }
}
