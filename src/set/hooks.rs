//! Hooks of Helm and Argo CD: objects that those tools send at a moment of their own, not with the rest of a set.
//!
//! The words are those of <https://helm.sh/docs/topics/charts_hooks/> and
//! <https://argo-cd.readthedocs.io/en/stable/user-guide/resource_hooks/>.

use crate::set::{
    lint::{LintFinding, Rule, Severity},
    objects::Object,
};

/// The annotation of each tool, and the moments at which a deployment is under way.
const TOOLS: [(&str, &[&str]); 2] = [
    (
        HELM,
        &[
            "pre-install",
            "post-install",
            "pre-upgrade",
            "post-upgrade",
            "crd-install",
        ],
    ),
    ("argocd.argoproj.io/hook", &["PreSync", "Sync", "PostSync"]),
];

/// The annotation of Helm's.
pub const HELM: &str = "helm.sh/hook";

/// The annotation of a hook and its moments, such as `pre-delete`.
fn hook(object: &Object) -> Option<(&'static str, &'static [&'static str], String)> {
    // To parse each object of a large set for this would take longer than to look for the word.
    let text = std::str::from_utf8(object.body()).ok()?;
    let (annotation, moments) = TOOLS.iter().find(|(name, _)| text.contains(*name))?;
    let value = object.value();
    let given = value["metadata"]["annotations"][*annotation].as_str()?;
    Some((annotation, moments, given.to_owned()))
}

/// Takes out of a set what a tool would send only when it deletes, rolls back or tests; tells of each hook.
pub fn sort_out(objects: &mut Vec<Object>) -> Vec<LintFinding> {
    let mut findings = Vec::new();
    objects.retain(|object| {
        let Some((annotation, moments, given)) = hook(object) else {
            return true;
        };
        let is_due = given.split(',').any(|it| moments.contains(&it.trim()));
        let id = object.id.to_string();
        let (message, remedy) = if is_due {
            (
                format!("{id} is a hook ({annotation}: {given}) and is deployed as any other object"),
                "its order is that of the set: where others have to wait for it, say so by config.kubernetes.io/depends-on",
            )
        } else {
            (
                format!("{id} is left out: it is a hook for another moment ({annotation}: {given})"),
                "take the annotation away if it belongs to the set",
            )
        };
        findings.push(LintFinding {
            severity: Severity::Warning,
            rule: Rule::Hook,
            object: id,
            message,
            remedy: remedy.to_owned(),
        });
        is_due
    });
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::set::objects;

    #[test]
    fn what_deletes_rolls_back_or_tests_is_left_out() {
        for (annotation, is_kept) in [
            ("helm.sh/hook: pre-install", true),
            ("helm.sh/hook: 'pre-delete, post-upgrade'", true),
            ("helm.sh/hook: pre-delete", false),
            ("helm.sh/hook: 'post-rollback,post-delete'", false),
            ("helm.sh/hook: test", false),
            ("helm.sh/hook: test-success", false),
            ("argocd.argoproj.io/hook: PreSync", true),
            ("argocd.argoproj.io/hook: Skip", false),
            ("argocd.argoproj.io/hook: PostDelete", false),
        ] {
            let text = format!(
                "{{apiVersion: v1, kind: Pod, metadata: {{name: p, annotations: {{{annotation}}}}}}}"
            );
            let mut objects = objects::read("x", &text).unwrap();
            let findings = sort_out(&mut objects);
            assert_eq!(objects.len(), usize::from(is_kept), "{annotation}");
            let said = if is_kept {
                "as any other object"
            } else {
                "is left out"
            };
            assert!(findings[0].message.contains(said), "{findings:?}");
        }
    }

    #[test]
    fn what_only_speaks_of_hooks_is_no_hook() {
        let text = "{apiVersion: v1, kind: ConfigMap, metadata: {name: c, annotations: {helm.sh/hook-weight: '1'}}, \
                    data: {a: 'helm.sh/hook: pre-delete'}}";
        let mut objects = objects::read("x", text).unwrap();
        assert!(sort_out(&mut objects).is_empty());
        assert_eq!(objects.len(), 1);
    }
}
