//! `commands` as a step runs it: who is heard, what is asked for, and of which commit, against a GitHub that remembers.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

use std::{collections::BTreeMap, fs};

use manifests_e2e::stages::Stage;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::support::{
    github::forge::{Fault, Forge, Token},
    step::{Step, outputs},
};

const HEAD: &str = "1234567890abcdef1234567890abcdef12345678";
const HOSTILE: &str = "$(touch pwned)`touch pwned`;touch pwned;#\"'\n::set-output name=run::true\n";

/// A comment by somebody who may write, before anything about it is changed.
struct Comment<'a> {
    forge: &'a Forge,
    event: Value,
    vars: Vec<(&'static str, &'static str)>,
}

/// What it came to.
struct Answer {
    code: Option<i32>,
    said: String,
    outputs: BTreeMap<String, String>,
    dir: TempDir,
}

fn forge() -> Forge {
    let forge = Forge::with(HEAD);
    let mut repository = forge.repository();
    for (login, permission) in [
        ("octo-cat", "write"),
        ("chief", "admin"),
        ("reader", "read"),
    ] {
        repository.permissions.insert(login, permission);
    }
    HOSTILE.clone_into(&mut repository.title);
    drop(repository);
    forge
}

impl<'a> Comment<'a> {
    fn on(forge: &'a Forge, body: &str) -> Self {
        let user = json!({"login": "octo-cat", "type": "User"});
        let event = json!({
            "action": "created",
            "issue": {"number": 7, "title": HOSTILE, "pull_request": {"url": "x"}},
            "comment": {"id": 77, "body": body, "user": user, "performed_via_github_app": null},
            "repository": {"full_name": "o/r"},
            "sender": user,
        });
        let vars = vec![
            ("INPUT_JOBS", "e2e\napps/jupyter"),
            ("INPUT_TIMEOUT", "15s"),
        ];
        Self { forge, event, vars }
    }

    fn by(mut self, login: &str) -> Self {
        let user = json!({"login": login, "type": "User"});
        self.event["comment"]["user"] = user.clone();
        self.event["sender"] = user;
        self
    }

    fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.vars.push((name, value));
        self
    }

    fn read(self) -> Answer {
        let dir = TempDir::new().unwrap();
        let event = dir.path().join("event.json");
        fs::write(&event, self.event.to_string()).unwrap();
        let mut vars = vec![
            ("GITHUB_API_URL", self.forge.url.as_str()),
            ("GITHUB_TOKEN", "token"),
            ("GITHUB_EVENT_NAME", "issue_comment"),
            ("GITHUB_EVENT_PATH", event.to_str().unwrap()),
        ];
        vars.extend(self.vars.iter().copied());
        let output = Step::of(Stage::Commands).run(dir.path(), &vars);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Answer {
            code: output.status.code(),
            said: text(&output.stderr) + &text(&output.stdout),
            outputs: outputs(dir.path()),
            dir,
        }
    }
}

impl Answer {
    fn get(&self, name: &str) -> &str {
        assert_eq!(self.code, Some(0), "{}", self.said);
        &self.outputs[name]
    }

    /// The jobs that run, as JSON.
    fn jobs(&self) -> &str {
        let (jobs, run) = (self.get("jobs"), self.get("run"));
        assert_eq!(run == "true", jobs != "[]", "{jobs} {run}");
        jobs
    }

    fn nothing(&self, why: &str) {
        assert_eq!(self.jobs(), "[]");
        assert!(self.get("why").contains(why), "{why}: {}", self.get("why"));
    }
}

fn ask(forge: &Forge, body: &str) -> Answer {
    Comment::on(forge, body).read()
}

fn signs(forge: &Forge) -> Vec<String> {
    let signs = forge.repository().signs.clone();
    signs.into_iter().map(|(_, sign)| sign).collect()
}

#[test]
fn who_may_write_runs_jobs_on_the_head() {
    let forge = forge();
    let all = ask(&forge, "/test");
    assert_eq!(all.jobs(), r#"["e2e","apps/jupyter"]"#);
    assert_eq!((all.get("sha"), all.get("pull")), (HEAD, "7"));
    assert_eq!(
        (all.get("fork"), all.get("hold"), all.get("why")),
        ("false", "", "")
    );
    assert_eq!(
        ask(&forge, "Looks good!\r\n/test apps/jupyter\r\n").jobs(),
        r#"["apps/jupyter"]"#
    );
    assert_eq!(ask(&forge, "/test all").jobs(), r#"["e2e","apps/jupyter"]"#);
    assert_eq!(
        Comment::on(&forge, "/test e2e").by("chief").read().jobs(),
        r#"["e2e"]"#
    );
    assert_eq!(signs(&forge), ["rocket"; 4]);
    ask(&forge, "/test e2e nowhere")
        .nothing("there is no job `nowhere`; there are e2e, apps/jupyter");
    assert_eq!(signs(&forge).last().unwrap(), "confused");
    forge.repository().state = "closed";
    ask(&forge, "/test").nothing("closed");
}

#[test]
fn strangers_are_not_heard() {
    let forge = forge();
    for login in ["reader", "nobody", "../../x"] {
        for body in [
            "/test",
            "/hold",
            "/retest",
            &format!("/ok-to-test sha={HEAD}"),
        ] {
            let answer = Comment::on(&forge, body).by(login).read();
            answer.nothing("may not write to this repository");
        }
    }
    // Nothing but who they are was asked, and nothing is there to see.
    assert_eq!(
        forge.count("/permission"),
        forge.asked().len(),
        "{:?}",
        forge.asked()
    );
    assert_eq!(signs(&forge), [""; 0]);
    assert!(forge.repository().labels.is_empty());
}

#[test]
fn bots_edits_code_and_quotes_ask_for_nothing() {
    let forge = forge();
    let refused = |change: fn(&mut Value), why: &str| {
        let mut comment = Comment::on(&forge, "/test");
        change(&mut comment.event);
        comment.read().nothing(why);
    };
    refused(|event| event["action"] = json!("edited"), "edited");
    refused(|event| event["action"] = json!("deleted"), "deleted");
    refused(
        |event| event["comment"]["user"]["type"] = json!("Bot"),
        "by an app",
    );
    refused(
        |event| event["comment"]["performed_via_github_app"] = json!({"id": 1}),
        "by an app",
    );
    refused(
        |event| event["sender"] = json!({"login": "other"}),
        "somebody else",
    );
    refused(
        |event| event["issue"]["pull_request"] = Value::Null,
        "on an issue",
    );
    for body in [
        "```\n/test\n```",
        "> /test",
        "> a quote\n/test",
        "    /test",
        "<!--\n/test\n-->",
        "please /test this",
        "/lgtm",
        HOSTILE,
    ] {
        ask(&forge, body).nothing("asks for nothing");
    }
    assert_eq!(forge.asked(), [""; 0], "GitHub is not asked about it");
}

#[test]
fn of_a_fork_only_the_commit_that_was_read_runs() {
    for of in [Some("stranger/r".to_owned()), None] {
        let forge = forge();
        forge.repository().branch_of = of;
        ask(&forge, "/test").nothing(&format!("`/ok-to-test sha={HEAD}`"));
        ask(&forge, "/retest").nothing("the pull request is a fork's");
        ask(&forge, "/ok-to-test").nothing("names the commit that was read");
        ask(&forge, &format!("/ok-to-test sha={}", &HEAD[..12])).nothing("whole SHA");
        let named = ask(&forge, &format!("/ok-to-test sha={HEAD}"));
        assert_eq!(
            (named.jobs(), named.get("sha")),
            (r#"["e2e","apps/jupyter"]"#, HEAD)
        );
        assert_eq!(named.get("fork"), "true");
        let one = ask(&forge, &format!("/test e2e sha={}", HEAD.to_uppercase()));
        assert_eq!(one.jobs(), r#"["e2e"]"#);
        // Somebody has pushed since it was read.
        forge.repository().head = "9".repeat(40);
        let moved = ask(&forge, &format!("/ok-to-test sha={HEAD}"));
        moved.nothing(&format!(
            "the head of the pull request is {}, not {HEAD}",
            "9".repeat(40)
        ));
    }
}

#[test]
fn what_is_red_runs_again() {
    let forge = forge();
    ask(&forge, "/retest").nothing("none of e2e, apps/jupyter is red");
    let status = |context: &str, state: &str| {
        let status = json!({"sha": HEAD, "context": context, "state": state});
        forge.repository().statuses.push(status);
    };
    status("apps/jupyter", "failure");
    status("e2e", "failure");
    status("e2e", "success");
    status("somebody else's", "error");
    assert_eq!(ask(&forge, "/retest").jobs(), r#"["apps/jupyter"]"#);
    status("e2e", "error");
    assert_eq!(ask(&forge, "/retest").jobs(), r#"["e2e","apps/jupyter"]"#);
    status("e2e", "pending");
    assert_eq!(ask(&forge, "/retest").jobs(), r#"["apps/jupyter"]"#);
}

#[test]
fn a_hold_is_a_label_and_a_status_until_it_is_cancelled() {
    let forge = forge();
    let state = |forge: &Forge| {
        let repository = forge.repository();
        let last = repository.statuses.last().unwrap();
        assert_eq!(last["context"], "hold");
        (
            repository.labels.contains("do-not-merge/hold"),
            last["state"].clone(),
        )
    };
    assert_eq!(ask(&forge, "/hold until Monday").get("hold"), "true");
    assert_eq!(state(&forge), (true, json!("failure")));
    for _ in 0..2 {
        // What is not held is let go all the same.
        assert_eq!(ask(&forge, "/hold cancel").get("hold"), "false");
        assert_eq!(state(&forge), (false, json!("success")));
    }
    assert_eq!(signs(&forge), ["+1"; 3]);
    // One that was not set is no hold.
    let reads = Token {
        may: &[],
        ..Token::default()
    };
    forge.repository().tokens.insert("token".to_owned(), reads);
    let failed = ask(&forge, "/hold");
    assert_eq!(failed.code, Some(3), "{}", failed.said);
    assert!(
        failed
            .said
            .contains("Resource not accessible by integration"),
        "{}",
        failed.said
    );
}

#[test]
fn nothing_runs_where_github_does_not_say_who_may() {
    for fault in [Fault::Unavailable, Fault::Spent(3000), Fault::LostAnswer] {
        let forge = forge();
        forge.trouble("/permission", usize::MAX, fault);
        let answer = Comment::on(&forge, "/test")
            .with("INPUT_TIMEOUT", "4s")
            .read();
        assert_eq!(answer.code, Some(3), "{}", answer.said);
        assert!(!answer.outputs.contains_key("run"), "{:?}", answer.outputs);
        assert!(
            answer
                .said
                .contains("what the author of the comment may do"),
            "{}",
            answer.said
        );
    }
    let forge = forge();
    forge.trouble("/pulls/7", 1, Fault::Throttled(1));
    assert_eq!(ask(&forge, "/test e2e").jobs(), r#"["e2e"]"#);
    let ended = Token {
        left: 1,
        ..Token::default()
    };
    forge.repository().tokens.insert("token".to_owned(), ended);
    let answer = ask(&forge, "/test");
    assert_eq!(answer.code, Some(3), "{}", answer.said);
    assert!(
        answer.said.contains("401: Bad credentials"),
        "{}",
        answer.said
    );
}

#[test]
fn text_of_a_comment_and_of_a_pull_request_gets_nowhere() {
    let forge = forge();
    let body = format!("/test {HOSTILE}\n/hold\n/test $(touch${{IFS}}pwned)");
    let answer = ask(&forge, &body);
    assert_eq!((answer.jobs(), answer.get("hold")), ("[]", "true"));
    for (name, value) in &answer.outputs {
        assert!(!value.contains("touch"), "{name}: {value}");
    }
    let is_command = |line: &str| line.starts_with("::set-output");
    assert!(!answer.said.lines().any(is_command), "{}", answer.said);
    for entry in fs::read_dir(answer.dir.path()).unwrap() {
        assert_ne!(entry.unwrap().file_name(), "pwned");
    }
}

#[test]
fn another_event_and_names_that_no_comment_can_have_are_refused() {
    let forge = forge();
    let push = Comment::on(&forge, "/test")
        .with("GITHUB_EVENT_NAME", "push")
        .read();
    assert_eq!(push.code, Some(2), "{}", push.said);
    assert!(
        push.said
            .contains("the event is `push`, not `issue_comment`"),
        "{}",
        push.said
    );
    let odd = Comment::on(&forge, "/test")
        .with("INPUT_JOBS", "a, b$c")
        .read();
    assert_eq!(odd.code, Some(2), "{}", odd.said);
    assert!(
        odd.said.contains("`b$c` cannot be named in a comment"),
        "{}",
        odd.said
    );
}
