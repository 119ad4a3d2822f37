//! Checks GitHub: the token's permissions, and whether the scheduled workflows will run.

use std::path::Path;

use jiff::Timestamp;

use super::{
    Check,
    schedule::{self, ScheduledWorkflow},
};
use crate::{
    github::api::{Answer, Api},
    inputs::Environment,
    limits::Deadline,
    report::Exit,
};

/// After this many days without activity GitHub stops the schedules of a public repository.
const IDLE_DAYS: i64 = 60;
/// The warning comes this many days earlier.
const WARNING_DAYS: i64 = 14;

/// Looks at the token and, where hosts can be left behind, at the schedule of `reap`.
///
/// `role`: a role is to be assumed with the workflow's token. `rented`: hosts come from EC2.
pub(crate) async fn examine(
    env: &Environment,
    role: bool,
    rented: bool,
    deadline: Deadline,
) -> Vec<Check> {
    let mut checks = Vec::new();
    if role {
        checks.push(id_token(env));
    }
    let workflows = env
        .get("GITHUB_WORKSPACE")
        .map_or_else(|| Path::new("."), Path::new);
    let workflows = schedule::read(workflows);
    let janitor = rented.then(|| janitor(workflows.as_deref()));
    let Some(repository) = env.get("GITHUB_REPOSITORY") else {
        checks.extend(janitor);
        checks.push(Check::ok(
            "GitHub",
            "this is no workflow: nothing is asked of it",
        ));
        return checks;
    };
    if env.get("GITHUB_TOKEN").is_none() {
        let check = Check::warning("GITHUB_TOKEN", "it is not set, so GitHub is not asked");
        checks.push(check.remedy("give the step `env: GITHUB_TOKEN: ${{ github.token }}`; `reap` needs it, with `actions: read`"));
        checks.extend(janitor);
        return checks;
    }
    let github = match Api::new(env) {
        Ok(github) => github,
        Err(error) => {
            checks.push(Check::failed("GitHub", error));
            return checks;
        }
    };
    let about = github.ask(&format!("/repos/{repository}"), deadline).await;
    let about = match about {
        Ok(answer) if answer.status == 200 => answer,
        refused => {
            checks.push(refusal(
                "GITHUB_TOKEN",
                repository,
                "metadata: read",
                refused,
            ));
            checks.extend(janitor);
            return checks;
        }
    };
    let found = match &about.scopes {
        // Only a classic token of a person has scopes; the workflow's own has permissions.
        Some(scopes) => format!("it reads {repository}; scopes: {scopes}"),
        None => format!("it reads {repository}"),
    };
    checks.push(Check::ok("GITHUB_TOKEN", found));
    let runs = github
        .ask(
            &format!("/repos/{repository}/actions/runs?per_page=1"),
            deadline,
        )
        .await;
    checks.push(match runs {
        Ok(answer) if answer.status == 200 => {
            Check::ok("actions: read", "`reap` can ask whether a run is over")
        }
        refused => refusal("actions: read", repository, "actions: read", refused),
    });
    if !rented {
        return checks;
    }
    checks.extend(janitor);
    if let Some(workflows) = workflows {
        let states = github
            .ask(
                &format!("/repos/{repository}/actions/workflows?per_page=100"),
                deadline,
            )
            .await;
        let states = states.ok().filter(|answer| answer.status == 200);
        checks.extend(stopped(&workflows, states.as_ref()));
        checks.extend(idle(&workflows, &about, Timestamp::now()));
    }
    checks
}

fn id_token(env: &Environment) -> Check {
    let there = [
        "ACTIONS_ID_TOKEN_REQUEST_URL",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    ]
    .iter()
    .all(|name| env.get(name).is_some());
    if there {
        return Check::ok("id-token: write", "this job may have an OIDC token");
    }
    let remedy = "give the job `permissions: id-token: write` (and `contents: read`); \
                  a pull request from a fork never has it";
    Check::missing(
        Exit::BadInput,
        "id-token: write",
        "role-arn is given, but this job may have no OIDC token",
    )
    .remedy(remedy)
}

/// What is not `ok` is a warning: the stages of the chain ask nothing of GitHub, `reap` does.
fn refusal(
    what: &str,
    repository: &str,
    permission: &str,
    answer: Result<Answer, String>,
) -> Check {
    let (found, needs) = match answer {
        Ok(answer) => (
            format!(
                "GitHub says {} about {repository}: {}",
                answer.status,
                answer.message()
            ),
            answer.accepted,
        ),
        Err(reason) => (format!("GitHub did not answer: {reason}"), None),
    };
    let needs = needs.unwrap_or_else(|| permission.to_owned());
    Check::warning(what, found).remedy(format!(
        "give the job `permissions:` with `{needs}`; `reap` needs it"
    ))
}

fn janitor(workflows: Option<&[ScheduledWorkflow]>) -> Check {
    let what = "reap on a schedule";
    let remedy = "copy .github/workflows/reap.yml of this project: it ends what cancelled and lost runs leave behind";
    let reaps = workflows.map(|all| all.iter().find(|one| one.reaps));
    match reaps {
        None => Check::warning(what, "there is no checkout to look into")
            .remedy("check the repository out before this step"),
        Some(None) => Check::warning(what, "no workflow with a schedule runs it").remedy(remedy),
        Some(Some(one)) => Check::ok(what, one.path.clone()),
    }
}

/// Schedules that GitHub does not run any more.
fn stopped(workflows: &[ScheduledWorkflow], states: Option<&Answer>) -> Vec<Check> {
    let Some(states) = states.and_then(|answer| answer.body["workflows"].as_array()) else {
        return Vec::new();
    };
    let stopped = workflows.iter().filter_map(|one| {
        let state = states
            .iter()
            .find(|state| state["path"] == one.path.as_str())?["state"]
            .as_str()?;
        let why = match state {
            "disabled_inactivity" => {
                "GitHub has stopped it, as nothing happened in this repository for 60 days"
            }
            "disabled_manually" => "somebody has stopped it",
            "disabled_fork" => "GitHub runs no schedule of a fork until it is enabled there",
            _ => return None,
        };
        Some(
            Check::warning(format!("schedule of {}", one.path), why)
                .remedy(format!("gh workflow enable {}", one.path)),
        )
    });
    stopped.collect()
}

/// The rule of 60 days.
fn idle(workflows: &[ScheduledWorkflow], about: &Answer, now: Timestamp) -> Option<Check> {
    if workflows.is_empty() || about.body["private"] == true {
        return None;
    }
    let what = "60 days without activity";
    let pushed: Timestamp = about.body["pushed_at"].as_str()?.parse().ok()?;
    let days = (now.duration_since(pushed).as_secs() / 86_400).max(0);
    let found = format!("the last push is {days} days ago");
    Some(if days < IDLE_DAYS - WARNING_DAYS {
        Check::ok(what, found)
    } else {
        Check::warning(what, format!("{found}: GitHub stops the schedules of a public repository after {IDLE_DAYS}"))
            .remedy("push something, or enable the workflow again afterwards: `gh workflow enable reap.yml`")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::CheckStatus, *};

    fn answer(body: serde_json::Value) -> Answer {
        Answer {
            status: 200,
            scopes: None,
            accepted: None,
            limited: None,
            body,
        }
    }

    #[test]
    fn the_rule_of_60_days_is_for_public_repositories_with_schedules() {
        let workflows = [ScheduledWorkflow {
            path: "x.yml".to_owned(),
            reaps: true,
        }];
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let check = |private: bool, pushed: &str, workflows: &[ScheduledWorkflow]| {
            let about = answer(json!({"private": private, "pushed_at": pushed}));
            idle(workflows, &about, now).map(|check| check.status)
        };
        assert_eq!(
            check(false, "2026-11-01T00:00:00Z", &workflows),
            Some(CheckStatus::Ok)
        );
        assert_eq!(
            check(false, "2026-10-01T00:00:00Z", &workflows),
            Some(CheckStatus::Warning)
        );
        assert_eq!(check(true, "2025-10-01T00:00:00Z", &workflows), None);
        assert_eq!(check(false, "2025-10-01T00:00:00Z", &[]), None);
    }

    #[test]
    fn a_schedule_that_github_has_stopped_is_named() {
        let workflows = [ScheduledWorkflow {
            path: ".github/workflows/reap.yml".to_owned(),
            reaps: true,
        }];
        let state = |state: &str| {
            let states = answer(
                json!({"workflows": [{"path": ".github/workflows/reap.yml", "state": state}]}),
            );
            stopped(&workflows, Some(&states)).len()
        };
        assert_eq!(
            (
                state("active"),
                state("disabled_inactivity"),
                state("disabled_manually")
            ),
            (0, 1, 1)
        );
        assert!(stopped(&workflows, None).is_empty());
    }
}
