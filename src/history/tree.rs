//! The shape of Prow's tree: which directories are builds, of which job, and where the page of a job lies.
//!
//! `docs/bucket.md` has the layouts. A build is a directory that is called by a whole number.

use std::{cmp::Reverse, collections::BTreeMap};

/// Where postsubmits and periodic jobs lie.
pub(super) const LOGS: &str = "logs";
/// Where presubmits and batches lie.
pub(super) const PULLS: &str = "pr-logs/pull";

/// Where the builds of a job lie.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Home {
    /// `logs/JOB`.
    Logs,
    /// `logs/OWNER_NAME/JOB`.
    Repository(String),
    /// `pr-logs/pull/OWNER_NAME/PULL/JOB`, of all pull requests.
    Pulls,
    /// `pr-logs/pull/batch/JOB`.
    Batch,
}

/// A job: what has one history.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct JobId {
    /// Its name.
    pub name: String,
    home: Home,
}

impl JobId {
    /// The directory that Deck knows the job by, where its page lies. Deck looks there for directories and for names that are
    /// numbers, so a page is in nobody's way.
    pub fn directory(&self) -> String {
        let name = &self.name;
        match &self.home {
            Home::Logs => format!("{LOGS}/{name}"),
            Home::Repository(repository) => format!("{LOGS}/{repository}/{name}"),
            Home::Pulls => format!("pr-logs/directory/{name}"),
            Home::Batch => format!("{PULLS}/batch/{name}"),
        }
    }
}

/// A build, by its place in the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildId {
    /// What it is called.
    pub number: u64,
    /// Its directory.
    pub path: String,
    /// The pull request that it is of.
    pub pull: Option<u64>,
}

/// The number that a name is, where it is one: as Deck takes it.
pub(super) fn number(name: &str) -> Option<u64> {
    let is_plain = name.bytes().all(|byte| byte.is_ascii_digit());
    name.parse().ok().filter(|_| is_plain)
}

/// The job and the build that a directory is, by its path; nothing for any other directory.
pub(super) fn build(path: &str) -> Option<(JobId, BuildId)> {
    let parts: Vec<&str> = path.split('/').collect();
    let (home, name, pull) = match parts.as_slice() {
        ["logs", job, _] => (Home::Logs, job, None),
        ["logs", repository, job, _] => (Home::Repository((*repository).to_owned()), job, None),
        ["pr-logs", "pull", "batch", job, _] => (Home::Batch, job, None),
        ["pr-logs", "pull", _, pull, job, _] => (Home::Pulls, job, Some(number(pull)?)),
        _ => return None,
    };
    // What is called by a number is a build or a pull request, and never a job.
    if name.is_empty() || number(name).is_some() {
        return None;
    }
    let job = JobId {
        name: (*name).to_owned(),
        home,
    };
    let build = BuildId {
        number: number(parts.last()?)?,
        path: path.to_owned(),
        pull,
    };
    Some((job, build))
}

/// The builds of these directories by their job, the newest first: later builds have greater numbers.
pub(super) fn by_job(paths: impl IntoIterator<Item = String>) -> BTreeMap<JobId, Vec<BuildId>> {
    let mut jobs: BTreeMap<JobId, Vec<BuildId>> = BTreeMap::new();
    for (job, found) in paths.into_iter().filter_map(|path| build(&path)) {
        jobs.entry(job).or_default().push(found);
    }
    for builds in jobs.values_mut() {
        builds.sort_by(|a, b| (Reverse(a.number), &a.path).cmp(&(Reverse(b.number), &b.path)));
    }
    jobs
}

/// The way from one directory of the tree to something below its root: `../../pull/o_r/7/job/12`.
pub(super) fn relative(from: &str, to: &str) -> String {
    let (from, to): (Vec<&str>, Vec<&str>) = (from.split('/').collect(), to.split('/').collect());
    let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..", from.len() - shared);
    let way: Vec<&str> = up.chain(to[shared..].iter().copied()).collect();
    way.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tree_knows_a_build_by_its_place_and_its_number() {
        for (path, page, pull) in [
            ("logs/o-r-e2e/12", "logs/o-r-e2e", None),
            ("logs/o_r/o-r-e2e/12", "logs/o_r/o-r-e2e", None),
            (
                "pr-logs/pull/o_r/7/o-r-e2e/12",
                "pr-logs/directory/o-r-e2e",
                Some(7),
            ),
            (
                "pr-logs/pull/batch/o-r-e2e/12",
                "pr-logs/pull/batch/o-r-e2e",
                None,
            ),
        ] {
            let (job, found) = build(path).unwrap();
            assert_eq!(
                (job.name.as_str(), job.directory().as_str()),
                ("o-r-e2e", page)
            );
            assert_eq!((found.number, found.pull), (12, pull), "{path}");
        }
        for other in [
            "logs/o-r-e2e/latest",
            "logs/12/13",
            "logs/job/+1",
            "logs/job/99999999999999999999999",
            "pr-logs/pull/o_r/seven/job/12",
            "pr-logs/directory/job/12",
            "logs//1",
            "a/b/c/d/e/f/1",
        ] {
            assert_eq!(build(other), None, "{other}");
        }
    }

    #[test]
    fn tree_has_the_newest_build_first_and_the_pull_requests_of_a_job_together() {
        let paths = [
            "pr-logs/pull/o_r/7/job/9",
            "pr-logs/pull/o_r/8/job/10",
            "logs/job/100",
        ];
        let jobs = by_job(paths.map(str::to_owned));
        let numbers: Vec<Vec<u64>> = jobs
            .values()
            .map(|builds| builds.iter().map(|build| build.number).collect())
            .collect();
        assert_eq!(numbers, [vec![100], vec![10, 9]]);
    }

    #[test]
    fn tree_leads_from_a_page_to_its_builds() {
        for (from, to, way) in [
            ("logs/job", "logs/job/12", "12"),
            (
                "pr-logs/directory/job",
                "pr-logs/pull/o_r/7/job/12",
                "../../pull/o_r/7/job/12",
            ),
        ] {
            assert_eq!(relative(from, to), way);
        }
    }
}
