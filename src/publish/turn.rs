//! Which of two runs is the newer one.

/// A run and its attempt. GitHub gives a run that is made later a larger number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Turn {
    /// Number of the run; 0 where there is none.
    pub run: u64,
    /// Its attempt.
    pub attempt: u32,
}

/// How the external id of a check run of ours begins.
const OURS: &str = "manifests-e2e/";

impl Turn {
    /// The part of the address of an attempt's page that tells it from others.
    pub fn page(self) -> String {
        format!("/actions/runs/{}/attempts/{}", self.run, self.attempt)
    }

    /// The run whose page that is.
    pub fn of_page(url: &str) -> Option<Self> {
        let (_, rest) = url.split_once("/actions/runs/")?;
        Self::parse(rest.trim_end_matches('/'), "/attempts/")
    }

    /// As the external id of a check run.
    pub fn id(self) -> String {
        format!("{OURS}{}/{}", self.run, self.attempt)
    }

    /// The run that made a check run, if it is one of ours.
    pub fn of_id(id: &str) -> Option<Self> {
        Self::parse(id.strip_prefix(OURS)?, "/")
    }

    fn parse(text: &str, between: &str) -> Option<Self> {
        let (run, attempt) = text.split_once(between)?;
        let (run, attempt) = (run.parse().ok()?, attempt.parse().ok()?);
        Some(Self { run, attempt })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_read_as_it_is_written() {
        let turn = Turn {
            run: 42,
            attempt: 3,
        };
        assert_eq!(Turn::of_id(&turn.id()), Some(turn));
        let page = format!("https://github.com/o/r{}", turn.page());
        assert_eq!(Turn::of_page(&page), Some(turn));
        assert_eq!(Turn::of_page("https://example.org/report.html"), None);
        assert_eq!(Turn::of_id("42/3"), None);
        let older = Turn {
            run: 42,
            attempt: 2,
        };
        assert!(
            older < turn
                && turn
                    < Turn {
                        run: 43,
                        attempt: 1
                    }
        );
    }
}
