//! Images that the nodes will not get: no registry has them, or their name is none.
//!
//! Registries are asked for what no node has yet, without credentials and without fetching anything. Only a registry that
//! says so itself proves an image gone; whatever else it says, or does not say, is told once for all its images.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{
    api::list,
    limits::Deadline,
    registry::{Answer, Registries},
    report::first_of,
    set::{
        facts::template,
        images::{self, Reference},
        lint::{LintFinding, Rule, Severity},
        objects::Object,
    },
};

/// How many users or images are named in one finding.
const NAMED: usize = 3;

/// An image as a pod of the set names it.
#[derive(Clone, Debug, Default)]
struct Use {
    /// The objects that name it, in the set's order.
    users: Vec<String>,
    /// Whether a pod of Kubernetes' own runs it: others may be templates, and run later or never.
    runs: bool,
    /// Whether somebody lets it be pulled.
    pulled: bool,
    /// Whether somebody has the registry asked each time.
    always: bool,
}

/// Looks for every image of the set. `there` are the images that every node has.
pub async fn check(
    objects: &[Object],
    there: &[Reference],
    registries: &Registries,
    deadline: Deadline,
) -> Vec<LintFinding> {
    let mut findings = Vec::new();
    let mut asked: BTreeMap<Reference, (String, Use)> = BTreeMap::new();
    for (image, how) in uses(objects) {
        let Some(reference) = Reference::parse(&image) else {
            // A template of a custom resource is filled in by its controller.
            findings.extend(how.runs.then(|| unreadable(&image, &how)));
            continue;
        };
        let has = there.iter().any(|it| reference.is_named(it));
        if how.runs && !how.pulled {
            findings.extend((!has).then(|| never(&image, &how)));
        } else if !has || (how.always && how.runs) {
            asked.entry(reference).or_insert((image, how));
        }
    }
    tracing::debug!("asking registries for {} images", asked.len());
    let answers = registries.ask(asked.keys().cloned(), deadline).await;
    let mut unclear: BTreeMap<(String, String), Vec<(String, Use)>> = BTreeMap::new();
    for (reference, (image, how)) in asked {
        match answers.get(&reference) {
            Some(Answer::Gone { by }) => findings.push(gone(&image, by, &how)),
            Some(Answer::Unclear { host, reason }) => {
                let key = (host.clone(), reason.clone());
                unclear.entry(key).or_default().push((image, how));
            }
            Some(Answer::There) => {}
            None => {
                let key = (reference.registry.clone(), "no answer in time".to_owned());
                unclear.entry(key).or_default().push((image, how));
            }
        }
    }
    let mut by_host: BTreeMap<String, (BTreeSet<String>, Vec<String>)> = BTreeMap::new();
    for ((host, reason), images) in unclear {
        let (reasons, all) = by_host.entry(host).or_default();
        reasons.insert(reason);
        all.extend(images.into_iter().map(|(image, _)| image));
    }
    findings.extend(
        by_host
            .iter()
            .map(|(host, (reasons, images))| untold(host, reasons, images)),
    );
    findings.sort();
    findings
}

/// Every image of the set with how it is used.
fn uses(objects: &[Object]) -> BTreeMap<String, Use> {
    let mut uses: BTreeMap<String, Use> = BTreeMap::new();
    for object in objects {
        // A definition describes containers, and has none.
        if object
            .id
            .is("apiextensions.k8s.io", "CustomResourceDefinition")
        {
            continue;
        }
        let value = object.value();
        let name = object.id.to_string();
        let pod = template(&object.id.group, &object.id.kind, &value).map(|(_, spec)| spec);
        for image in images::of(&value) {
            let how = uses.entry(image).or_default();
            how.users.push(name.clone());
            how.pulled |= pod.is_none();
        }
        for container in pod.into_iter().flat_map(containers) {
            let image = container["image"].as_str().unwrap_or_default();
            if let Some(how) = uses.get_mut(image) {
                let policy = container["imagePullPolicy"].as_str();
                how.runs = true;
                how.pulled |= policy != Some("Never");
                how.always |= match policy {
                    Some(policy) => policy == "Always",
                    None => Reference::parse(image).is_some_and(|image| image.moves()),
                };
            }
        }
    }
    uses
}

fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    list(&pod["containers"]).chain(list(&pod["initContainers"]))
}

fn gone(image: &str, by: &str, how: &Use) -> LintFinding {
    LintFinding {
        severity: Severity::Problem,
        rule: Rule::Image,
        object: how.users[0].clone(),
        message: format!("{image} does not exist: {by}; {}", used_by(how)),
        remedy: overrides(image),
    }
}

fn never(image: &str, how: &Use) -> LintFinding {
    LintFinding {
        severity: Severity::Problem,
        rule: Rule::Image,
        object: how.users[0].clone(),
        message: format!(
            "{image} is never pulled (imagePullPolicy: Never), and not every node has it; {}",
            used_by(how)
        ),
        remedy: "load it onto the nodes, or let it be pulled".to_owned(),
    }
}

fn unreadable(image: &str, how: &Use) -> LintFinding {
    LintFinding {
        severity: Severity::Problem,
        rule: Rule::Image,
        object: how.users[0].clone(),
        message: format!("`{image}` is no name of an image; {}", used_by(how)),
        remedy: overrides(image),
    }
}

fn untold(host: &str, reasons: &BTreeSet<String>, images: &[String]) -> LintFinding {
    let reasons: Vec<&str> = reasons.iter().map(String::as_str).collect();
    LintFinding {
        severity: Severity::Warning,
        rule: Rule::Image,
        object: String::new(),
        message: format!(
            "{host} does not say whether it has {}: {}",
            first_of(images, NAMED),
            reasons.join("; ")
        ),
        remedy: String::new(),
    }
}

fn used_by(how: &Use) -> String {
    let verb = if how.users.len() == 1 { "uses" } else { "use" };
    format!("{} {verb} it", first_of(&how.users, NAMED))
}

fn overrides(image: &str) -> String {
    format!("name another one in its place: image-overrides: {image}=…")
}

#[cfg(test)]
mod tests;
