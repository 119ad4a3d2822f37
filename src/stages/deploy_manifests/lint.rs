//! What the lint finds, told: alone with `lint-only`, beside the deployment otherwise.

use std::{path::Path, time::Duration};

use serde_json::json;
use tokio_util::task::AbortOnDropHandle;
use url::Url;

use crate::{
    cli::{DeployArgs, Order},
    cluster::{self, Connected, KubeconfigError},
    deploy::{REPORT, draft::Draft, pulls},
    kind,
    record::write_private,
    registry::Registries,
    report::{self, Exit, Failure},
    set::{
        draw::{self, Form},
        lint::{LintError, LintFinding, Severity, markdown},
        objects::Object,
        order::Graph,
    },
    stages::{Context, Outputs, Stage},
};

/// Registries may answer so long after a deployment that was faster.
const SHORTLY: Duration = Duration::from_secs(1);

/// Says all that would go wrong, and writes nothing to a cluster. Where none can be asked, what the set alone tells.
///
/// # Errors
/// [`Failure`] with every finding, where one is worse than a warning.
pub(super) async fn only(
    (objects, found): (Vec<Object>, Vec<LintFinding>),
    args: &DeployArgs,
    kubeconfig: Option<&Path>,
    context: &Context,
) -> Result<Outputs, Failure> {
    let deadline = context.deadline;
    let connected = match cluster::connect(kubeconfig, &context.env, &context.store, deadline).await
    {
        Ok(connected) => Some(connected),
        Err(error @ (KubeconfigError::Unusable { .. } | KubeconfigError::Refused { .. })) => {
            return Err(error.into());
        }
        Err(error) => {
            let line = format!(
                "no cluster is asked: {error}; so its kinds, its Services and the room on its nodes are not looked at"
            );
            report::warn(Stage::DeployManifests, &[line], context.env.on_runner());
            None
        }
    };
    let draft = match &connected {
        Some(connected) => read(connected, objects, args, context).await?,
        None => Draft::without_cluster(objects),
    };
    picture(
        args,
        &draft.objects,
        &draft.graph(args.order == Order::Legacy),
    )?;
    let pulled = images(&draft, connected.as_ref(), context).await;
    let count = draft.objects.len();
    let mut findings = [found, draft.findings, pulled].concat();
    findings.sort();
    let report = context.store.path(REPORT);
    let text = json!({
        "server": connected.map(|connected| connected.version),
        "lint": &findings,
    });
    write_private(&report, text.to_string().as_bytes())?;
    let findings = LintError::refuse(findings, Severity::Problem)?;
    tell(&findings, context);
    summarize(&findings, context);
    tracing::info!("looked at {count} objects: {} warnings", findings.len());
    Ok(Outputs::default()
        .with("objects", count.to_string())
        .with("report", report.display().to_string()))
}

/// The set as the cluster sees it.
pub(super) async fn read(
    connected: &Connected,
    objects: Vec<Object>,
    args: &DeployArgs,
    context: &Context,
) -> Result<Draft, Failure> {
    let reading = Box::pin(Draft::new(connected, objects, args.wait));
    let draft = context.deadline.bound(reading).await;
    Ok(draft.map_err(|passed| Failure::new(Exit::TimeLimit, passed.to_string()))??)
}

/// Draws the graph, where a file for it is named.
///
/// # Errors
/// [`Failure`] for a file that cannot be written.
pub(super) fn picture(args: &DeployArgs, objects: &[Object], graph: &Graph) -> Result<(), Failure> {
    let Some(file) = &args.graph else {
        return Ok(());
    };
    let text = draw::draw(objects, graph, Form::of(file)?);
    std::fs::write(file, text).map_err(|error| {
        let reason = format!("cannot write the graph to {}: {error}", file.display());
        Failure::new(Exit::BadInput, reason).hint("name a file in a directory that exists")
    })?;
    tracing::info!("the dependency graph is in {}", file.display());
    Ok(())
}

/// Looks for the images of the set.
fn images(
    draft: &Draft,
    connected: Option<&Connected>,
    context: &Context,
) -> impl Future<Output = Vec<LintFinding>> + Send + use<> {
    let (objects, there) = (draft.objects.clone(), draft.images_there().to_vec());
    let (mirrors, deadline) = (mirrors(connected, context), context.deadline);
    async move {
        match Registries::new(mirrors) {
            Ok(registries) => pulls::check(&objects, &there, &registries, deadline).await,
            Err(reason) => {
                tracing::warn!("images are not looked for: {reason}");
                Vec::new()
            }
        }
    }
}

/// Images that are looked for while the set is applied: a deployment does not wait for registries.
pub(super) struct Meanwhile(AbortOnDropHandle<Vec<LintFinding>>);

impl Meanwhile {
    /// What was found; nothing where registries have not answered until shortly after.
    pub(super) async fn end(self) -> Vec<LintFinding> {
        match tokio::time::timeout(SHORTLY, self.0).await {
            Ok(Ok(findings)) => findings,
            _ => Vec::new(),
        }
    }
}

/// Looks for the images in the background, and tells at once what it finds.
pub(super) fn images_meanwhile(
    draft: &Draft,
    connected: &Connected,
    context: &Context,
) -> Meanwhile {
    let looking = images(draft, Some(connected), context);
    let on_runner = context.env.on_runner();
    Meanwhile(AbortOnDropHandle::new(tokio::spawn(async move {
        let findings = looking.await;
        report::warn(Stage::DeployManifests, &lines(&findings), on_runner);
        findings
    })))
}

/// The mirrors of the cluster that install-kind made in this job, where that is the one.
fn mirrors(connected: Option<&Connected>, context: &Context) -> Vec<(String, Url)> {
    let cluster = context.store.record().cluster.as_ref();
    let cluster = cluster.filter(|cluster| {
        let file = cluster.kubeconfig.display().to_string();
        connected.is_none_or(|connected| connected.kubeconfig == file)
    });
    let lines = cluster.map_or(&[][..], |cluster| &cluster.mirrors);
    lines
        .iter()
        .filter_map(|line| kind::mirror(line).ok())
        .collect()
}

/// Tells findings that stop nothing: each as a line, all as one annotation.
pub(super) fn tell(findings: &[LintFinding], context: &Context) {
    report::warn(
        Stage::DeployManifests,
        &lines(findings),
        context.env.on_runner(),
    );
}

/// Puts findings into the job summary.
pub(super) fn summarize(findings: &[LintFinding], context: &Context) {
    if findings.is_empty() {
        return;
    }
    context.summarize(&markdown(findings));
}

fn lines(findings: &[LintFinding]) -> Vec<String> {
    findings.iter().map(ToString::to_string).collect()
}
