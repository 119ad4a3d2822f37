//! The results of this job: read before the redactor is made, since they hold secrets, and put in after it.

use std::{path::PathBuf, sync::Arc, time::Duration};

use super::GatherRequest;
use crate::logs::{
    bundle::Bundle,
    collect::files,
    redact::Redactor,
    snapshot::{Gap, Object},
};

/// Time for the rendered manifests of a set as large as Kubeflow, and to close the archive.
const CLEANING: Duration = Duration::from_secs(6);

/// The results of this job; of rendered manifests their objects, which hold secrets that logs may repeat.
pub(super) type Results = Vec<(PathBuf, Option<Result<Vec<Object>, String>>)>;

pub(super) fn results(wanted: &GatherRequest<'_>) -> Results {
    let state = wanted.store.dir();
    let read = |path: PathBuf| {
        let is_yaml = path
            .extension()
            .is_some_and(|end| end != "log" && end.to_string_lossy().starts_with('y'));
        let objects = is_yaml.then(|| files::objects(&state.join(&path)));
        (path, objects)
    };
    files::results(state).into_iter().map(read).collect()
}

/// Rendered manifests: where they go in the bundle, and their objects.
pub(super) type Rendered = Vec<(String, Vec<Object>)>;

/// Puts the results in; rendered manifests are given back.
pub(super) async fn add_results(
    wanted: &GatherRequest<'_>,
    bundle: &Bundle,
    redactor: &Arc<Redactor>,
    results: Results,
) -> Rendered {
    let mut rendered = Rendered::new();
    let stages = files::stages(wanted.store.record());
    bundle
        .add_text("artifacts/stages.json", stages, redactor)
        .await;
    for (path, objects) in results {
        let file = format!("artifacts/{}", path.display());
        let content = match objects {
            Some(Ok(objects)) => {
                rendered.push((file, objects));
                continue;
            }
            Some(Err(error)) => Err(error),
            None => files::read(&wanted.store.path(&path.to_string_lossy())),
        };
        match content {
            Ok(clipped) => bundle.add(file, clipped, redactor).await,
            Err(error) => bundle.missing(Gap { file, error }),
        }
    }
    rendered
}

/// Puts rendered manifests in, as far as there is time. They may have 10 MB, whose cleaning takes seconds, and the checkout
/// has them too: so they come after all else.
pub(super) async fn add_rendered(
    wanted: &GatherRequest<'_>,
    bundle: &Bundle,
    redactor: &Arc<Redactor>,
    rendered: Rendered,
) {
    for (file, objects) in rendered {
        if wanted.deadline.remaining() < CLEANING {
            let error = "no time was left to clean it".to_owned();
            bundle.missing(Gap { file, error });
            continue;
        }
        let text = files::rendered(objects, redactor);
        bundle.add_clean(file, text, redactor).await;
    }
}
