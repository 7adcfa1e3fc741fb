use crate::support::{Machine, assert_outcome};

#[test]
fn what_cannot_be_asked_for_is_a_usage_error() {
    let machine = Machine::with_every_tool();
    for (arguments, said) in [
        (&["drill"][..], "cargo xtask drill kill-pod"),
        (&["drill", "--runs", "5", "kill-pod", "--platform"], "--platform"),
        (&["drill", "--kill-pod", "--platform", "cloud"], "cloud"),
        (&["drill", "--kill-pvc", "--platform", "kubernetes"], "needs --context NAME"),
        (&["drill", "--kill-pvc", "--platform", "local", "--context", "a"], "are for --platform kubernetes"),
        (&["drill", "--kill-pvc", "--platform", "k3d", "--context", "a"], "add --platform kubernetes"),
        (&["all", "--platform", "kubernetes"], "cargo xtask deploy --context NAME"),
        (&["all", "--context", "a"], "takes no --context"),
        (&["cluster"], "Usage"),
        (&["cluster", "restart"], "restart"),
        (&["import", "--image", "a"], "unexpected argument"),
        (&["deploy", "--context"], "--context"),
        (&["down", "--all"], "unexpected argument"),
        (&["setup", "--kubectl"], "unexpected argument"),
        (&["doctor", "--fix"], "unexpected argument"),
        (&["build", "app"], "unexpected argument"),
        (&[], "Usage"),
    ] {
        assert_outcome(&machine.run(arguments), 2, &[said]);
    }
    assert_eq!(machine.log(), [""; 0], "nothing may be run for a command that is wrong");
}
