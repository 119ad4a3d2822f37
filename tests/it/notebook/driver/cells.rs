//! What is kept of cells, and which of them are run.

use super::{Ended, cell, tagged};
use crate::it::support;

#[test]
fn sandbox_what_cells_show_is_kept_with_the_state_of_widgets() {
    let Some(_turn) = support::sandbox(support::Lane::Cluster) else {
        return;
    };
    let widget = "from comm import create_comm\n\
        c = create_comm(target_name='jupyter.widget', data={'state': {'_model_name': 'Slider', '_model_module': 'x', 'value': 7}, 'buffer_paths': []}, metadata={})";
    let ended = Ended::of(&[
        cell("from IPython.display import display\nhandle = display('first', display_id='d')"),
        cell("handle.update('second')"),
        cell("display({'text/plain': ['a', 'b']}, raw=True)"),
        cell(
            "import os\nos.write(1, b'\\xff\\n')\nprint('\\ud83d')\ndisplay({'application/json': {'x': float('nan')}}, raw=True)",
        ),
        cell(widget),
        tagged("1/0", "skip-execution"),
        tagged("1/0", "raises-exception"),
        // Shown, and no failure: the cell itself ended well.
        cell("try:\n    1/0\nexcept ZeroDivisionError:\n    get_ipython().showtraceback()"),
    ]);
    ended.ends_with(
        0,
        &[
            "passed",
            "passed",
            "passed",
            "passed",
            "passed",
            "Skipped { reason: \"tagged skip-execution\" }",
            "passed",
            "passed",
        ],
    );
    let first = &ended.notebook["cells"][0]["outputs"][0]["data"]["text/plain"];
    assert_eq!(
        first, "'second'",
        "a later cell changes an earlier one's display"
    );
    let metadata = &ended.notebook["metadata"];
    let states = &metadata["widgets"]["application/vnd.jupyter.widget-state+json"]["state"];
    assert_eq!(
        states.as_object().unwrap().values().next().unwrap()["state"]["value"],
        7
    );
    assert_eq!(metadata["language_info"]["name"], "python");
    assert!(ended.log.contains("\nab\n"), "{}", ended.log);
}

#[test]
fn sandbox_independent_cells_go_on_after_a_failure_and_cells_may_skip_themselves() {
    let Some(_turn) = support::sandbox(support::Lane::Cluster) else {
        return;
    };
    let skip = "import unittest\nraise unittest.SkipTest('no TrainJob here')";
    let ended = Ended::of(&[
        tagged("1/0", "independent"),
        cell(skip),
        tagged("raise KeyError('second')", "independent"),
        cell("print('reached')"),
        cell("raise ValueError('third')"),
        cell("1"),
    ]);
    let skipped = "Skipped { reason: \"no TrainJob here\" }";
    ended.ends_with(
        1,
        &[
            "ZeroDivisionError",
            skipped,
            "KeyError",
            "passed",
            "ValueError",
            "NotRun",
        ],
    );
    // The first is the cause.
    assert!(
        ended
            .last_word
            .starts_with("cell 1 of 6: 1/0: ZeroDivisionError"),
        "{}",
        ended.last_word
    );
    let log = &ended.log;
    assert!(
        log.contains("== skipped: no TrainJob here")
            && log.contains("the next cell does not depend on it"),
        "{log}"
    );
    // What is skipped alone passes nothing; the verdict says so.
    Ended::of(&[cell(skip)]).ends_with(0, &[skipped]);
}
