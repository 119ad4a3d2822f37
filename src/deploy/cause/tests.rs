use super::*;

fn need(on: usize, why: EdgeReason) -> Need {
    Need {
        on,
        until: Until::Ready,
        strength: Strength::Hard,
        why,
    }
}

fn blocker(accepted: bool, missing: impl Into<Missing>, terminal: bool) -> Blocker {
    Blocker {
        accepted,
        missing: missing.into(),
        terminal,
    }
}

fn of_pod(counts: &str, pod: &str, what: &str) -> Missing {
    Missing {
        counts: counts.to_owned(),
        pod: Some(pod.to_owned()),
        ..Missing::because(pod::Why::ImageGone, what)
    }
}

#[test]
fn everything_hangs_below_the_one_cause() {
    // 0 deployment, 1 webhook, 2 to 5 guarded, 6 another deployment.
    let mut graph = Graph {
        needs: vec![Vec::new(); 7],
        explains: vec![Vec::new(); 7],
        ..Graph::default()
    };
    graph.explains[1].push(need(0, EdgeReason::Backing));
    for at in 2..6 {
        graph.needs[at].push(need(1, EdgeReason::Webhook));
    }
    let mut blocked = BTreeMap::from([
        (0, blocker(true, of_pod("", "p", "it is gone"), true)),
        (1, blocker(true, "no endpoint", false)),
        (6, blocker(true, "starting", false)),
    ]);
    for at in 2..6 {
        blocked.insert(at, blocker(false, "", false));
    }
    let name = |at: usize| format!("o{at}");
    let roots = roots(&blocked, &graph, &BTreeMap::new(), &name);
    assert_eq!(roots.len(), 2);
    assert_eq!(
        roots[0].line(),
        "4 objects wait ← o1 ← o0 ← pod p: it is gone"
    );
    assert_eq!(
        roots[0].tree(),
        [
            "o0: pod p: it is gone",
            "└─ o1",
            "   ├─ o2",
            "   ├─ o3",
            "   ├─ o4",
            "   └─ o5"
        ]
    );
    assert_eq!(roots[1].line(), "o6: starting");
}

#[test]
fn the_line_reads_as_people_tell_it() {
    let cause = |object: &str, missing: Missing, below: Vec<Cause>| Cause {
        at: 0,
        object: object.to_owned(),
        missing,
        terminal: true,
        waiting: below.iter().map(|it| 1 + it.waiting).sum(),
        below,
    };
    let guarded = (0..47).map(|at| cause(&format!("Isvc n/{at}"), Missing::default(), Vec::new()));
    let webhook = "ValidatingWebhookConfiguration validation.kserve.io";
    let webhook = cause(webhook, "no endpoint".into(), guarded.collect());
    let missing = of_pod(
        "0 of 1 ready",
        "k-1",
        "image i:1 cannot be pulled: not found",
    );
    let root = cause("Deployment kubeflow/k", missing, vec![webhook]);
    assert_eq!(
        root.line(),
        "47 objects wait ← webhook validation.kserve.io ← Deployment kubeflow/k ← pod k-1: \
         image i:1 cannot be pulled: not found"
    );
    assert_eq!(
        root.tree()[0],
        "Deployment kubeflow/k: 0 of 1 ready: pod k-1: image i:1 cannot be pulled: not found"
    );
}

#[test]
fn a_claim_and_its_workload_explain_each_other_one_way_only() {
    let mut graph = Graph {
        needs: vec![Vec::new(); 2],
        explains: vec![Vec::new(); 2],
        ..Graph::default()
    };
    graph.explains[0].push(need(1, EdgeReason::Consumer));
    graph.explains[1].push(need(0, EdgeReason::Uses));
    for (hopeless, root) in [(true, 0), (false, 1)] {
        let blocked = BTreeMap::from([
            (0, blocker(true, "Pending", hopeless)),
            (1, blocker(true, "0 of 1 ready", false)),
        ]);
        let roots = roots(&blocked, &graph, &BTreeMap::new(), &|at| at.to_string());
        assert_eq!(roots.len(), 1);
        assert_eq!(roots[0].at, root);
    }
}

#[test]
fn what_was_applied_too_early_hangs_below_what_it_lacks() {
    let mut graph = Graph {
        needs: vec![Vec::new(); 3],
        explains: vec![Vec::new(); 3],
        ..Graph::default()
    };
    graph.needs[1].push(need(0, EdgeReason::PodWebhook));
    graph.needs[2].push(need(0, EdgeReason::PodWebhook));
    let refused = Missing::because(pod::Why::Webhook, "no endpoints");
    let blocked = BTreeMap::from([
        (0, blocker(true, "no endpoint", false)),
        (1, blocker(true, refused, false)),
        (2, blocker(true, of_pod("", "p", "it is gone"), true)),
    ]);
    let roots = roots(&blocked, &graph, &BTreeMap::new(), &|at| at.to_string());
    let found: Vec<_> = roots.iter().map(|root| (root.at, root.waiting)).collect();
    assert_eq!(found, [(0, 1), (2, 0)]);
}

#[test]
fn circles_end() {
    let mut graph = Graph {
        needs: vec![Vec::new(); 2],
        explains: vec![Vec::new(); 2],
        ..Graph::default()
    };
    graph.explains[0].push(need(1, EdgeReason::Mention));
    graph.explains[1].push(need(0, EdgeReason::Mention));
    let blocked = BTreeMap::from([
        (0, blocker(true, "a", false)),
        (1, blocker(true, "b", false)),
    ]);
    let roots = roots(&blocked, &graph, &BTreeMap::new(), &|at| at.to_string());
    assert_eq!(roots.len(), 1);
    assert_eq!(roots[0].waiting, 1);
}

#[test]
fn what_lacks_something_of_its_own_waits_for_nobody_that_it_only_names() {
    let mut graph = Graph {
        needs: vec![Vec::new(); 2],
        explains: vec![Vec::new(); 2],
        ..Graph::default()
    };
    graph.explains[1].push(need(0, EdgeReason::Mention));
    let why = |why: pod::Why| Missing::because(why, "what");
    for (own, found) in [
        (blocker(true, why(pod::Why::Crash), true), 1),
        (blocker(true, why(pod::Why::NotReady), false), 1),
        (blocker(true, "Pending", false), 1),
        (blocker(true, why(pod::Why::Absent), true), 2),
        (blocker(true, why(pod::Why::Configuration), false), 2),
        (blocker(false, "refused", true), 2),
    ] {
        let blocked = BTreeMap::from([(0, blocker(true, "starting", false)), (1, own.clone())]);
        let roots = roots(&blocked, &graph, &BTreeMap::new(), &|at| at.to_string());
        assert_eq!(roots.len(), found, "{own:?}");
    }
}

#[test]
fn of_two_causes_the_one_that_says_what_is_missing_comes_first() {
    let graph = Graph {
        needs: vec![Vec::new(); 2],
        explains: vec![Vec::new(); 2],
        ..Graph::default()
    };
    let crash = Missing::because(pod::Why::Crash, "it ended");
    let blocked = BTreeMap::from([
        (0, blocker(true, crash, true)),
        (1, blocker(false, "its namespace does not exist", true)),
    ]);
    let roots = roots(&blocked, &graph, &BTreeMap::new(), &|at| at.to_string());
    let found: Vec<usize> = roots.iter().map(|root| root.at).collect();
    assert_eq!(found, [1, 0]);
}
