//! A pass in Markdown, for the job summary.

use super::{Fate, ReapVerdict};
use crate::{
    provider::Resource,
    report::escape_markdown,
    run::{TAG_EXPIRES_AT, TAG_REPOSITORY, TAG_RUN, TAG_URL},
};

/// How many rows are shown: GitHub drops a summary that is too large.
const MAX_ROWS: usize = 500;

/// What became of each resource, one row each; what is somebody else's is only counted.
///
/// `gone` are the ids of what was ended and proven gone.
pub(crate) fn table(
    resources: &[Resource],
    verdicts: &[ReapVerdict],
    gone: &[String],
    dry_run: bool,
) -> String {
    let ours: Vec<(&Resource, &ReapVerdict)> = resources
        .iter()
        .zip(verdicts)
        .filter(|(_, verdict)| verdict.fate != Fate::Foreign)
        .collect();
    let title = if dry_run { "reap (dry run)" } else { "reap" };
    let mut text = format!("### {title}\n\n");
    if ours.is_empty() {
        text.push_str("Nothing of ours is there.\n");
    } else {
        text.push_str("| resource | run | expires | what | why |\n|---|---|---|---|---|\n");
        text.extend(ours.iter().take(MAX_ROWS).map(|(resource, verdict)| {
            let what = match verdict.fate {
                _ if gone.contains(&resource.id) => "**ended**, proven gone",
                Fate::Foreign | Fate::Spare => "stays",
                Fate::Stuck => "**left**: not touched",
                Fate::Unknown => "unknown: not touched",
                Fate::Mark if dry_run => "**left**: would be marked",
                Fate::Mark => "**left**: marked for the next pass",
                Fate::Wait => "**left**: waits for a later pass",
                Fate::End if dry_run => "**left**: would be ended",
                Fate::End => "**left**: could not be ended",
            };
            let tag = |name| resource.tags.get(name).map_or("", String::as_str);
            format!(
                "| {} | {} | {} | {what} | {} |\n",
                escape_markdown(&resource.to_string()),
                run_of(resource),
                escape_markdown(tag(TAG_EXPIRES_AT)),
                escape_markdown(&verdict.why)
            )
        }));
    }
    let foreign = resources.len() - ours.len();
    for (count, of_what) in [
        (ours.len().saturating_sub(MAX_ROWS), "more rows"),
        (foreign, "things of other repositories or laptops"),
    ] {
        if count > 0 {
            text.extend(["\n", &count.to_string(), " ", of_what, " are not listed.\n"]);
        }
    }
    text.push('\n');
    text
}

/// Repository and run, as a link where the tag is one.
fn run_of(resource: &Resource) -> String {
    let tag = |name| resource.tags.get(name).map_or("", String::as_str);
    let name = format!("{} {}", tag(TAG_REPOSITORY), tag(TAG_RUN));
    let name = escape_markdown(name.trim());
    let page = tag(TAG_URL);
    // Anyone with the account may have written it: only what cannot end the link is taken.
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/%".contains(c);
    if page.starts_with("https://") && page.chars().all(plain) {
        format!("[{name}]({page})")
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_cannot_break_out_of_its_cell() {
        let resource = Resource {
            kind: "instance",
            id: "i-1".to_owned(),
            tags: [
                (TAG_URL, "https://x/) | <script>"),
                (TAG_REPOSITORY, "o/r | [a](b)"),
                (TAG_RUN, "7-42"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
            ..Resource::default()
        };
        let verdict = ReapVerdict::new(Fate::Mark, "its run is over (success)");
        let foreign = ReapVerdict::new(Fate::Foreign, "of another repository");
        let resources = [resource.clone(), resource];
        let text = table(&resources, &[verdict, foreign], &[], true);
        let row = text.lines().find(|line| line.contains("i-1")).unwrap();
        assert_eq!(row.replace("\\|", "").matches('|').count(), 6, "{row}");
        assert!(
            !row.contains("<script>") && !row.contains("](http"),
            "{row}"
        );
        assert!(row.contains("would be marked"), "{row}");
        assert!(text.contains("1 things of other"), "{text}");
        let gone = table(
            &resources[..1],
            &[ReapVerdict::new(Fate::End, "x")],
            &["i-1".to_owned()],
            false,
        );
        assert!(gone.contains("proven gone"), "{gone}");
    }
}
