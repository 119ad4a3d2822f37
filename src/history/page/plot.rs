//! Plots and grid of a job on one axis: a column for each build, the newest left.
//!
//! A row of the grid is a few paths: cells that follow each other and look alike are one stroke, and dashes divide it.

use std::fmt::Write as _;

use super::{Budget, link, tone};
use crate::history::{
    build::{Build, BuildResult},
    job::JobHistory,
    table::{minute, percent, took},
    test::TestHistory,
    text::clean,
};

/// Width of a column, and height of a row of the grid.
const COLUMN: usize = 10;
const LINE: usize = 16;
/// Columns at most.
const COLUMNS: usize = 200;
/// Tests at most.
const TESTS: usize = 200;
/// Height of the pass rate, of the durations, and of what is between the two.
const RATE: usize = 48;
const BARS: usize = 72;
const GAP: usize = 12;
/// Height of the days.
const DAYS: usize = 14;
/// Where the parts begin, from above.
const BARS_AT: usize = RATE + GAP;
const DAYS_AT: usize = BARS_AT + BARS;
const HEADS_AT: usize = DAYS_AT + DAYS;
const GRID_AT: usize = HEADS_AT + LINE;
/// Builds of which a pass rate is that of the last.
const WINDOW: usize = 10;
/// Columns that a day needs.
const DAY: usize = 6;

/// Something that is drawn.
#[derive(Debug)]
pub(super) struct Mark {
    pub(super) class: &'static str,
    pub(super) d: String,
    pub(super) title: String,
    pub(super) href: String,
}

/// A test.
#[derive(Debug)]
pub(super) struct Line {
    /// The part of its name that tells it from its neighbours.
    pub(super) name: String,
    /// What is before that.
    pub(super) place: String,
    pub(super) marks: Vec<Mark>,
}

/// All of it.
#[derive(Debug)]
pub(super) struct Plot {
    pub(super) width: usize,
    pub(super) height: usize,
    /// Of the newest builds, and of all.
    pub(super) rate: String,
    pub(super) rate_now: String,
    pub(super) bars: Vec<Mark>,
    pub(super) longest: String,
    pub(super) days: Vec<(usize, String)>,
    pub(super) heads: Vec<Mark>,
    pub(super) lines: Vec<Line>,
    /// Tests that are not drawn, and how many of those failed in any build.
    pub(super) more: usize,
    pub(super) more_failed: usize,
}

impl Plot {
    /// Heights, for the labels beside it.
    pub(super) const RATE: usize = RATE + GAP;
    pub(super) const BARS: usize = BARS + DAYS;
    pub(super) const HEADS: usize = LINE;
    /// Where lines across the plots are.
    pub(super) const TOP: usize = 1;
    pub(super) const MIDDLE: usize = RATE / 2;
    pub(super) const BOTTOM: usize = RATE - 1;
    pub(super) const FLOOR: usize = DAYS_AT;
    pub(super) const DAY: usize = DAYS_AT + DAYS - 3;

    pub(super) fn of(job: &JobHistory, from: Option<&str>, budget: &mut Budget) -> Self {
        let builds = &job.builds[..job.builds.len().min(COLUMNS)];
        let fit = budget.cells / builds.len().max(1);
        let shown = job.tests.len().min(TESTS).min(fit);
        budget.cells -= shown * builds.len();
        let (drawn, rest) = job.tests.split_at(shown);
        let lines: Vec<Line> = drawn
            .iter()
            .enumerate()
            .map(|(at, test)| line(at, test, builds, budget))
            .collect();
        let rates = rates(builds);
        let now = rates.first().map(|(_, rate)| percent(*rate));
        let longest = builds.iter().filter_map(|it| it.seconds).max();
        Self {
            width: builds.len() * COLUMN,
            height: GRID_AT + lines.len() * LINE,
            rate: steps(&rates),
            rate_now: now.unwrap_or_default(),
            bars: bars(builds, longest.unwrap_or_default()),
            longest: longest.map_or_else(String::new, took),
            days: days(builds),
            heads: heads(builds, from),
            lines,
            more: rest.len(),
            more_failed: rest.iter().filter(|test| test.builds.failed > 0).count(),
        }
    }
}

/// The middle of a column.
const fn middle(at: usize) -> usize {
    at * COLUMN + COLUMN / 2
}

/// The pass rate of the last builds at each build that counts: its column, and the rate.
fn rates(builds: &[Build]) -> Vec<(usize, f64)> {
    let counted: Vec<(usize, bool)> = builds
        .iter()
        .enumerate()
        .filter(|(_, build)| build.result.counts())
        .map(|(at, build)| (at, build.result == BuildResult::Passed))
        .collect();
    let rate = |from: usize| {
        let window = &counted[from..counted.len().min(from + WINDOW)];
        let passed = window.iter().filter(|(_, passed)| *passed).count();
        crate::history::job::share(passed, window.len()).unwrap_or_default()
    };
    let all = counted.iter().enumerate();
    all.map(|(from, (at, _))| (*at, rate(from))).collect()
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a part of a height of a hundred"
)]
fn scaled(part: f64, height: usize) -> usize {
    (part.clamp(0.0, 1.0) * height as f64).round() as usize
}

/// A curve; a single point is a short line.
fn steps(rates: &[(usize, f64)]) -> String {
    let mut d = String::new();
    for (at, rate) in rates {
        let y = RATE - 1 - scaled(*rate, RATE - 2);
        let to = if d.is_empty() { 'M' } else { 'L' };
        write!(d, "{to}{} {y}", middle(*at)).expect("a String takes everything");
    }
    if rates.len() == 1 {
        d.push_str("h4");
    }
    d
}

/// A bar for each build as long as it took, in the colour of its result.
fn bars(builds: &[Build], longest: i64) -> Vec<Mark> {
    let mut marks: Vec<Mark> = Vec::new();
    for result in BuildResult::ALL {
        let mut d = String::new();
        for (at, build) in builds.iter().enumerate() {
            if build.result != result {
                continue;
            }
            // Who took no time, or nobody knows how much, is there all the same.
            #[expect(clippy::cast_precision_loss, reason = "a height")]
            let part = build
                .seconds
                .map_or(0.0, |it| it as f64 / longest.max(1) as f64);
            let height = scaled(part, BARS - 4).max(2);
            let x = middle(at);
            write!(d, "M{x} {DAYS_AT}v-{height}").expect("a String takes everything");
        }
        if !d.is_empty() {
            marks.push(Mark {
                class: class(result),
                d,
                title: String::new(),
                href: String::new(),
            });
        }
    }
    marks
}

/// The class of what is drawn for a result.
const fn class(result: BuildResult) -> &'static str {
    match result {
        BuildResult::Running => "running",
        other => match tone(other).as_bytes() {
            b"good" => "good",
            b"bad" => "bad",
            b"open" => "open",
            _ => "none",
        },
    }
}

/// The first column of each day, as far as there is room.
fn days(builds: &[Build]) -> Vec<(usize, String)> {
    let mut days: Vec<(usize, String)> = Vec::new();
    let mut next = 0;
    let mut last = String::new();
    for (at, build) in builds.iter().enumerate() {
        let Some(started) = build.started else {
            continue;
        };
        let day = started.strftime("%d %b").to_string();
        if day != last && at >= next && at + DAY / 2 < builds.len().max(DAY) {
            days.push((at * COLUMN, day.clone()));
            next = at + DAY;
            last = day;
        }
    }
    days
}

/// A cell for each build: what it was, and the way to its report.
fn heads(builds: &[Build], from: Option<&str>) -> Vec<Mark> {
    let y = HEADS_AT + LINE / 2;
    let head = |(at, build): (usize, &Build)| {
        let when = build.started.map_or_else(String::new, minute);
        let commit = build.tested.short();
        let parts = [
            build.number.as_str(),
            build.result.word(),
            &when,
            commit,
            &clean(&build.cause, 120),
        ];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        Mark {
            class: class(build.result),
            d: format!("M{} {y}h{COLUMN}", at * COLUMN),
            title: parts.join(" · "),
            href: link(build, from),
        }
    };
    builds.iter().enumerate().map(head).collect()
}

/// The cells of a test. A failure says why, as long as the page has room for that.
fn line(row: usize, test: &TestHistory, builds: &[Build], budget: &mut Budget) -> Line {
    let y = GRID_AT + row * LINE + LINE / 2;
    let letters: Vec<char> = test.results.chars().take(builds.len()).collect();
    let mut marks = Vec::new();
    for (letter, class) in [
        ('P', "p"),
        ('F', "f"),
        ('B', "b"),
        ('S', "s"),
        ('p', "p n"),
        ('f', "f n"),
        ('b', "b n"),
        ('s', "s n"),
    ] {
        let mut d = String::new();
        let mut at = 0;
        while at < letters.len() {
            let same = letters[at..].iter().take_while(|it| **it == letter).count();
            if same == 0 {
                at += 1;
                continue;
            }
            let x = at * COLUMN;
            if matches!(letter, 'F' | 'B') && budget.titles >= same {
                budget.titles -= same;
                marks.extend((at..at + same).map(|at| said(class, at, y, test, &builds[at])));
            } else {
                write!(d, "M{x} {y}h{}", same * COLUMN).expect("a String takes everything");
            }
            at += same;
        }
        if !d.is_empty() {
            marks.push(Mark {
                class,
                d,
                title: String::new(),
                href: String::new(),
            });
        }
    }
    let (place, name) = test.test.rsplit_once(" › ").unwrap_or(("", &test.test));
    Line {
        name: clean(name, 120),
        place: clean(place, 80),
        marks,
    }
}

/// One cell that says why.
fn said(class: &'static str, at: usize, y: usize, test: &TestHistory, build: &Build) -> Mark {
    let message = build.runs.get(&test.test);
    let message = message.map_or("", |run| run.message.as_str());
    let title = match clean(message, 90).as_str() {
        "" => build.number.clone(),
        message => format!("{}: {message}", build.number),
    };
    Mark {
        class,
        d: format!("M{} {y}h{COLUMN}", at * COLUMN),
        title,
        href: String::new(),
    }
}
