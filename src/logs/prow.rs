//! The results of a job as Prow keeps them in a bucket, where Deck, Gubernator and `TestGrid` read them.
//!
//! Sources: `kubernetes-sigs/prow` `pkg/pod-utils/gcs/target.go` for the paths, `pkg/apis/prowjobs/v1` for `prowjob.json`,
//! `pkg/spyglass/lenses` for what is read of the files; `GoogleCloudPlatform/testgrid` `metadata/job.go` for `started.json` and
//! `finished.json`.

mod earlier;
mod files;
mod junit;
mod upload;

use crate::{
    cli::Layout,
    inputs::Environment,
    plan::{
        job::JobType,
        prow::refs,
        subject::{self, Beside, Payload, Range, Subject, Trust},
    },
    record::Record,
    run::{canonical, short_hash},
};

pub use files::podinfo;
pub use junit::of_stages;
pub use upload::flat;

/// One execution of a job, as Prow counts it.
#[derive(Clone, Debug)]
pub struct Build {
    subject: Subject,
    /// Name of the job: the same in each of its builds.
    job: String,
    /// A whole number, as Deck reads it, that no other execution has.
    number: u64,
    /// Page of the run; empty on a laptop.
    url: String,
}

impl Build {
    /// What the environment of a workflow says; `job` is the input `prow-job`. A laptop's job is a periodic one, counted by the
    /// milliseconds at which its record began.
    pub fn of(env: &Environment, record: &Record, job: Option<&str>) -> Self {
        let subject = subject(env);
        let run = &record.run;
        let number = |text: Option<&str>| text.and_then(|text| text.parse::<u64>().ok());
        let begun = record.stages.first().map(|stage| stage.started);
        // Legs of a matrix that calls a reusable workflow have run, attempt and job in common.
        let of_job = number(run.execution.check_run.as_deref());
        let of_run = number(env.get("GITHUB_RUN_ID"))
            .and_then(|id| id.checked_mul(100)?.checked_add(u64::from(run.attempt)));
        let of_laptop = || begun.map_or(0, |at| at.as_millisecond().unsigned_abs());
        Self {
            job: match job.map(str::trim).filter(|job| !job.is_empty()) {
                Some(job) => segment(job),
                None => usual_name(env, &subject),
            },
            subject,
            number: of_job.or(of_run).unwrap_or_else(of_laptop),
            url: run.url.clone().unwrap_or_default(),
        }
    }

    /// The directory of this build, without a slash at its end.
    pub fn directory(&self, layout: Layout) -> String {
        format!("{}/{}", self.job_directory(layout), self.number)
    }

    fn job_directory(&self, layout: Layout) -> String {
        let Subject { owner, name, .. } = &self.subject;
        let job = &self.job;
        match (self.subject.job, &self.subject.pull) {
            (JobType::Presubmit, Some(pull)) => {
                format!("pr-logs/pull/{owner}_{name}/{}/{job}", pull.number)
            }
            (JobType::Batch, _) => format!("pr-logs/pull/batch/{job}"),
            (JobType::Postsubmit, _) if layout == Layout::Kubeflow => {
                format!("logs/{owner}_{name}/{job}")
            }
            _ => format!("logs/{job}"),
        }
    }

    /// What leads to this build from elsewhere: key and text. To be put there last. `root` is the bucket and prefix,
    /// `s3://bucket/prefix`.
    pub fn pointers(&self, layout: Layout, root: &str) -> Vec<(String, String)> {
        let number = self.number.to_string();
        let newest = |directory: &str| (format!("{directory}/latest-build.txt"), number.clone());
        let directory = format!("pr-logs/directory/{}", self.job);
        match self.subject.job {
            JobType::Presubmit if self.subject.pull.is_some() => vec![
                (
                    format!("{directory}/{number}.txt"),
                    format!("{root}/{}", self.directory(layout)),
                ),
                newest(&directory),
                newest(&self.job_directory(layout)),
            ],
            JobType::Batch => vec![newest(&directory)],
            _ => vec![newest(&self.job_directory(layout))],
        }
    }

    /// `base:commit,number:commit`; empty where no commit is known.
    fn refs(&self) -> String {
        let commit = self.subject.commit.clone();
        refs(&self.subject).or(commit).unwrap_or_default()
    }
}

/// What the event of this workflow is about; a job of the repository alone where that cannot be told.
fn subject(env: &Environment) -> Subject {
    let told = env
        .get("GITHUB_EVENT_PATH")
        .zip(env.get("GITHUB_EVENT_NAME"));
    let beside = Beside {
        sha: env.get("GITHUB_SHA"),
        repository: env.get("GITHUB_REPOSITORY"),
        branch: env.get("GITHUB_REF_NAME"),
        ..Beside::default()
    };
    let found = told.and_then(|(path, event)| {
        let payload = Payload::read(path.as_ref()).ok()?;
        subject::of(event, &payload, beside).ok()
    });
    found.unwrap_or_else(|| {
        let repository = env.get("GITHUB_REPOSITORY").unwrap_or_default();
        let (owner, name) = repository.split_once('/').unwrap_or(("local", "local"));
        Subject {
            event: String::new(),
            job: JobType::Periodic,
            owner: segment(owner),
            name: segment(name),
            base_ref: None,
            base_sha: None,
            pull: None,
            group: None,
            commit: env.get("GITHUB_SHA").map(str::to_owned),
            range: Range::All("nobody asks"),
            config: Trust::UnderTest(Vec::new()),
        }
    })
}

/// `owner-name-job`, in a matrix with its values behind it.
fn usual_name(env: &Environment, subject: &Subject) -> String {
    let job = env.get("GITHUB_JOB").unwrap_or("e2e");
    let own = format!("{}-{}-{job}", subject.owner, subject.name);
    let matrix = env.get("MATRIX").map(str::trim);
    let matrix = matrix.filter(|matrix| !matches!(*matrix, "" | "null" | "{}"));
    let Some(matrix) = matrix else {
        return segment(&own);
    };
    let values = serde_json::from_str::<serde_json::Map<_, serde_json::Value>>(matrix);
    let values: Vec<String> = values
        .into_iter()
        .flatten()
        .map(|(_, value)| match value {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        })
        .collect();
    let whole = format!("{own}-{}", values.join("-"));
    let name = segment(&whole);
    if name == whole {
        name
    } else {
        // Two legs must not have one name where only what cannot be in a name tells them apart.
        format!("{name}-{}", short_hash(&canonical(matrix)))
    }
}

/// One part of a key that no reader has to quote, at most 180 characters.
fn segment(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let name: String = text
        .chars()
        .map(|c| if plain(c) { c } else { '-' })
        .take(180)
        .collect();
    let name = name.trim_matches(['.', '-']);
    if name.is_empty() { "job" } else { name }.to_owned()
}

#[cfg(test)]
mod tests;
