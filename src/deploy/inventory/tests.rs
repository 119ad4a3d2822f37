use proptest::prelude::*;

use super::*;

fn id(group: &str, kind: &str, namespace: Option<&str>, name: &str) -> ObjectId {
    ObjectId {
        group: group.to_owned(),
        kind: kind.to_owned(),
        namespace: namespace.map(str::to_owned),
        name: name.to_owned(),
    }
}

fn sent(text: &str) -> Sent {
    Sent {
        content: text.to_owned(),
        mark: text.to_owned(),
    }
}

fn map(number: usize, text: &str) -> Value {
    json!({
        "metadata": {"name": format!("manifests-e2e-inventory.a.{number}"), "resourceVersion": "7"},
        "data": {"objects": text},
    })
}

fn of(maps: &[Value]) -> Inventory {
    let mut inventory = Inventory {
        name: "a".to_owned(),
        objects: BTreeMap::new(),
        maps: BTreeMap::new(),
        used: BTreeMap::new(),
        need: Necessity::Must,
    };
    inventory.load(maps);
    inventory
}

/// The maps as they would be written.
fn texts(inventory: &Inventory) -> BTreeMap<usize, String> {
    let mut texts: BTreeMap<usize, String> = BTreeMap::new();
    for (id, line) in &inventory.objects {
        lines::write(texts.entry(line.map).or_default(), id, &line.sent);
    }
    texts
}

#[test]
fn what_was_written_is_read_again() {
    let text = "ConfigMap. n/b 11 22\nClusterRole.rbac.authorization.k8s.io /system:a%20b\n";
    let inventory = of(&[map(0, text)]);
    let role = id(
        "rbac.authorization.k8s.io",
        "ClusterRole",
        None,
        "system:a b",
    );
    let config = id("", "ConfigMap", Some("n"), "b");
    assert_eq!(inventory.sent(&role), Some(&Sent::default()));
    assert_eq!(inventory.sent(&config).unwrap().mark, "22");
    assert_eq!(texts(&inventory)[&0], text);
    assert_eq!(inventory.left([&config]), [(role, Sent::default())]);
}

#[test]
fn two_lines_that_contradict_each_other_say_only_that_the_object_was_sent() {
    let maps = [
        map(0, "ConfigMap. n/b 1 1\n"),
        map(1, "ConfigMap. n/b 2 2\n"),
    ];
    let inventory = of(&maps);
    let config = id("", "ConfigMap", Some("n"), "b");
    assert_eq!(inventory.sent(&config), Some(&Sent::default()));
    // The second map is emptied, the first keeps the object.
    assert_eq!(inventory.objects[&config].map, 0);
}

#[test]
fn a_line_stays_in_its_map_whatever_comes_and_goes() {
    let mut inventory = of(&[]);
    for number in 0..=LINES * 2 {
        let one = id("", "ConfigMap", Some("n"), &format!("c{number}"));
        inventory.line(&one).sent = sent("1");
    }
    let places: BTreeMap<ObjectId, usize> = (inventory.objects.iter())
        .map(|(id, line)| (id.clone(), line.map))
        .collect();
    let texts = texts(&inventory);
    assert_eq!(texts.len(), 3);
    assert!(texts.values().all(|text| text.len() < 1024 * 1024));
    let mut again = of(&[map(0, &texts[&0]), map(1, &texts[&1]), map(2, &texts[&2])]);
    again.objects.remove(&id("", "ConfigMap", Some("n"), "c5"));
    again.line(&id("", "ConfigMap", Some("n"), "added"));
    for (id, line) in &again.objects {
        assert!(places.get(id).is_none_or(|map| *map == line.map), "{id}");
    }
}

proptest! {
    #[test]
    fn any_object_can_be_a_line(
        group in "([a-z]{1,9}(\\.[a-z0-9]{1,9}){0,3})?",
        kind in "[A-Z][A-Za-z]{0,12}",
        namespace in prop::option::of("[a-z][a-z0-9-]{0,9}"),
        name in "[a-zA-Z0-9:._-]{1,20}",
        known in any::<bool>(),
    ) {
        let object = id(&group, &kind, namespace.as_deref(), &name);
        let sent = if known { sent("0a") } else { Sent::default() };
        let mut text = String::new();
        lines::write(&mut text, &object, &sent);
        prop_assert_eq!(text.lines().count(), 1);
        prop_assert_eq!(lines::read(text.trim_end()), Some((object, sent)));
    }
}
