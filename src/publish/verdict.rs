//! How a job ended: by the stages that it carried out, what explains a failure, and what the runner says of the rest.

use super::Diagnosis;
use crate::{
    logs::{render::Outcome, verdict::State},
    record::StageRecord,
    stages::Stage,
};

/// How a job ended, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// How.
    pub state: State,
    /// Why, in one line; empty where it passed or nothing is known.
    pub cause: String,
}

impl Verdict {
    /// One with its cause.
    pub fn new(state: State, cause: impl Into<String>) -> Self {
        let cause = cause.into();
        Self { state, cause }
    }
}

/// The verdict of stages; none where no stage of the chain ran.
pub fn of_stages(
    stages: &[StageRecord],
    cancelled: bool,
    diagnosis: &Diagnosis,
) -> Option<Verdict> {
    let counts = |name: &str| {
        let found = Stage::ALL.into_iter().find(|stage| stage.name() == name);
        found.is_some_and(|stage| stage.in_chain() && stage != Stage::GatherLogs)
    };
    let stages: Vec<&StageRecord> = stages.iter().filter(|one| counts(&one.stage)).collect();
    if stages.is_empty() {
        return None;
    }
    let outcome = Outcome::of(&stages, cancelled);
    let first = diagnosis.because.iter().find_map(|cause| cause.class);
    let state = State::of(outcome, first)?;
    Some(Verdict::new(state, outcome.cause(&[])))
}

/// The verdict of the whole job: that of its stages, or what the runner says where they know nothing of it.
pub fn of_job(stages: Option<Verdict>, status: Option<&str>) -> Option<Verdict> {
    match (stages, status) {
        (Some(passed), Some("failure")) if passed.state == State::Success => Some(Verdict::new(
            State::Failure,
            "another step of the job failed",
        )),
        (None, Some("failure")) => Some(Verdict::new(State::Failure, "a step of the job failed")),
        (None, Some("cancelled")) => Some(Verdict::new(State::Cancelled, "the job was cancelled")),
        (verdict, _) => verdict,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{logs::diagnose::Class, publish::Cause};

    fn ran(stage: Stage, exit: Option<u8>) -> StageRecord {
        StageRecord {
            stage: stage.name().to_owned(),
            started: Timestamp::UNIX_EPOCH,
            ended: None,
            exit,
            cause: "x".to_owned(),
            about: Vec::new(),
        }
    }

    fn state(stages: &[(Stage, Option<u8>)], class: Option<Class>) -> Option<State> {
        let stages: Vec<StageRecord> = stages
            .iter()
            .map(|(stage, exit)| ran(*stage, *exit))
            .collect();
        let because = class.map(|class| Cause {
            class: Some(class),
            affects: Vec::new(),
            line: String::new(),
        });
        let diagnosis = Diagnosis {
            because: because.into_iter().collect(),
            also: Vec::new(),
        };
        of_stages(&stages, false, &diagnosis).map(|verdict| verdict.state)
    }

    #[test]
    fn an_error_is_no_failure() {
        let deploy = |exit| {
            state(
                &[
                    (Stage::InstallKind, Some(0)),
                    (Stage::DeployManifests, exit),
                ],
                None,
            )
        };
        assert_eq!(deploy(Some(0)), Some(State::Success));
        for (exit, expected) in [
            (1, State::Failure),
            (2, State::Failure),
            (3, State::Error),
            (101, State::Error),
            (124, State::Failure),
            (130, State::Cancelled),
        ] {
            assert_eq!(deploy(Some(exit)), Some(expected), "{exit}");
        }
        assert_eq!(deploy(None), Some(State::Error), "killed");
        assert_eq!(
            state(&[(Stage::InstallKind, Some(124))], None),
            Some(State::Error)
        );
        let left = [
            (Stage::DeployManifests, Some(0)),
            (Stage::Teardown, Some(4)),
        ];
        assert_eq!(state(&left, None), Some(State::Error));
    }

    #[test]
    fn what_explains_a_failure_may_make_it_an_error_and_never_the_other_way() {
        let deploy = |exit, class| state(&[(Stage::DeployManifests, Some(exit))], Some(class));
        assert_eq!(deploy(1, Class::NodePressure), Some(State::Error));
        assert_eq!(deploy(124, Class::NodePressure), Some(State::Error));
        assert_eq!(deploy(1, Class::TaintNotTolerated), Some(State::Failure));
        assert_eq!(deploy(3, Class::TaintNotTolerated), Some(State::Error));
    }

    #[test]
    fn what_gathers_and_plans_decides_nothing() {
        assert_eq!(
            state(
                &[(Stage::GatherLogs, Some(3)), (Stage::Plan, Some(0))],
                None
            ),
            None
        );
        let passed = [
            (Stage::DeployManifests, Some(0)),
            (Stage::GatherLogs, Some(3)),
        ];
        assert_eq!(state(&passed, None), Some(State::Success));
    }

    #[test]
    fn a_job_is_never_greener_than_the_runner_says() {
        let passed = || Some(Verdict::new(State::Success, ""));
        let of = |stages, status| of_job(stages, status).map(|verdict| verdict.state);
        assert_eq!(of(passed(), Some("success")), Some(State::Success));
        assert_eq!(of(passed(), Some("failure")), Some(State::Failure));
        assert_eq!(of(None, Some("failure")), Some(State::Failure));
        assert_eq!(of(None, Some("cancelled")), Some(State::Cancelled));
        assert_eq!(of(None, Some("success")), None, "nothing was shown");
        assert_eq!(of(None, None), None);
    }
}
