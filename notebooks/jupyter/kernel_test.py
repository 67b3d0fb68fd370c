"""Tests of the kernel through Jupyter: `notebooks/lab --test [NAME…]`."""

import json
import os
import sys
import time
from collections.abc import Callable

import spare
from session import Session


def equal(found: object, expected: object, what: str) -> None:
    """Fails with both values."""
    if found != expected:
        raise AssertionError(f"{what}: expected {expected!r}, found {found!r}")


def print_line(order: dict) -> str:
    """A statement that prints a marked line."""
    return f'println!("\\u{{1e}}JUPYTER {{}}", r##"{json.dumps(order)}"##);'


def gradients_cross_cells() -> None:
    """With several copies of candle the ids of tensors start again in each cell, and gradients are silently wrong."""
    with Session() as session:
        session.load()
        session.run("let w = Var::new(&[1f64, 2., 3.], &Device::Cpu)?;\nlet b = Var::new(&[0.5f64, 0.5, 0.5], &Device::Cpu)?;")
        session.run("let x = Tensor::new(&[1f64, 2., 3.], &Device::Cpu)?;\nlet y = ((w.as_tensor() * &x)? + b.as_tensor())?;")
        session.run("let loss = y.sqr()?.sum_all()?;\nlet g = loss.backward()?;")
        shown = session.run(
            "println!(\"{:?} {:?}\", g.get(&w).unwrap().to_vec1::<f64>()?, g.get(&b).unwrap().to_vec1::<f64>()?);"
        )
        # y = [1.5, 4.5, 9.5]; dw = 2 y x, db = 2 y
        equal(shown.stream("stdout"), "[3.0, 18.0, 57.0] [3.0, 9.0, 19.0]\n", "gradients over three cells")


def failures_are_short() -> None:
    """A failing `?` and a panic: one short message under their own cell, and the variables live on."""
    with Session() as session:
        session.load()
        session.run("let kept = 7;\nlet x = Tensor::new(&[1f32, 2.], &Device::Cpu)?;")
        for code in ("x.reshape((3, 3))?;", 'panic!("out of {}", "cheese");', "let v: Vec<u8> = Vec::new();\nv[3];"):
            outcome = session.run(code)
            errors = outcome.stream("stderr")
            lines = len(errors.strip().splitlines())
            if not 1 <= lines <= 3:
                raise AssertionError(f"expected 1 to 3 lines on standard error for `{code}`, found {errors!r}")
        # The next cell gets nothing of it, and the old variable is there.
        outcome = session.run('println!("{kept}");')
        equal((outcome.stream("stdout"), outcome.stream("stderr")), ("7\n", ""), "the cell after a panic")
        equal(session.run("let oops = kept +;").status, "error", "a cell that does not compile")
        equal(session.run('println!("{kept}");').stream("stdout"), "7\n", "the cell after one that does not compile")


def two_at_once() -> None:
    """Two kernels must not share a folder."""
    with Session() as one, Session() as other:
        for number, session in enumerate((one, other)):
            session.load()
            session.run(f"let number = {number};")
        for number, session in enumerate((one, other)):
            equal(session.run('println!("{number}");').stream("stdout"), f"{number}\n", "a variable of one kernel")


LOOP = """\
let stop = std::env::var("TOALIGN_STOP_FILE")?;
println!("started");
for _ in 0..3000 {
    if std::fs::remove_file(&stop).is_ok() { println!("stopped"); break; }
    std::thread::sleep(std::time::Duration::from_millis(10));
}"""


def stops() -> None:
    """Stop asks a training loop to end; whatever does not listen is killed after a while."""
    with Session() as session:
        session.load()
        session.run("let kept = 7;")
        cell = session.begin(LOOP)
        begun = session.begun_with(cell, "started")
        asked = time.monotonic()
        session.manager.interrupt_kernel()
        outcome = session.wait(cell, begun)
        equal(outcome.stream("stdout"), "started\nstopped\n", "output of the stopped loop")
        print(f"  soft stop after {time.monotonic() - asked:.1f} s")
        equal(session.run('println!("{kept}");').stream("stdout"), "7\n", "a variable after a soft stop")
        cell = session.begin('println!("asleep");\nstd::thread::sleep(std::time::Duration::from_secs(60));')
        session.begun_with(cell, "asleep")
        session.manager.interrupt_kernel()
        outcome = session.wait(cell)
        equal([one["ename"] for one in outcome.of_kind("error")], ["Stopped"], "the error of a cell that was killed")
        outcome = session.run('let v = 1;\npanic!("still short");')
        equal(outcome.stream("stderr"), "Panic: still short\n", "a panic after a hard stop")


def pictures_show() -> None:
    """Marked lines become outputs, in order, and other lines pass."""
    orders = [
        {"do": "display", "data": {"text/plain": "one"}, "metadata": {}, "id": "curve"},
        {"do": "display", "data": {"text/html": "<b>two</b>"}, "metadata": {"text/html": {"isolated": True}}},
        {"do": "update", "id": "curve", "data": {"text/plain": "three"}, "metadata": {}},
        {"do": "clear", "wait": True},
    ]
    # A large picture on one line, as the library prints it.
    code = [print_line(order) for order in orders]
    code.insert(1, 'println!("plain");')
    code.append('println!("\\u{1e}JUPYTER {}", format!(r#"{{"do":"display","data":{{"image/png":"{}"}}}}"#, "A".repeat(400_000)));')
    code.append('println!("\\u{1e}JUPYTER this is no order");')
    with Session() as session:
        session.load()
        outcome = session.run("\n".join(code))
        shown = [one for one in outcome.messages if one["msg_type"] not in ("status", "execute_input")]
        kinds = ["display_data", "stream", "display_data", "update_display_data", "clear_output", "display_data", "stream"]
        equal([one["msg_type"] for one in shown], kinds, "what a cell with marked lines sends")
        equal(shown[0]["content"]["transient"], {"display_id": "curve"}, "the name of a display")
        equal(shown[2]["content"]["metadata"], {"text/html": {"isolated": True}}, "a display's metadata")
        equal(shown[3]["content"]["data"], {"text/plain": "three"}, "an update's data")
        equal(len(shown[5]["content"]["data"]["image/png"]), 400_000, "a large picture")
        equal(shown[6]["content"]["text"], "\x1eJUPYTER this is no order\n", "a line that is no order")
        equal(session.run("for _ in 0..2 {}").of_kind("execute_result"), [], "what a loop shows")
        equal(session.run("1 + 1").of_kind("execute_result")[0]["data"], {"text/plain": "2"}, "what a sum shows")


def reserves_serve() -> None:
    """Two lessons get the kernels in reserve, which end with them; prints the times without and with."""
    with Session() as session:
        print(f"  without reserve: kernel {session.ready_seconds:.1f} s, first cell {session.load().seconds:.1f} s more")
    os.environ |= {"TOALIGN_LAB_SERVER": str(os.getpid()), "TOALIGN_LAB_SPARE": "2"}
    reserve = spare.start()
    try:
        until(lambda: sum(map(spare.is_warm, spare.waiting())) == 2, "two warm kernels in reserve", 600)
        with Session() as session, Session() as other:
            first = [(one.ready_seconds, one.load().seconds) for one in (session, other)]
            use = session.run("let x = Tensor::new(&[1f32, 2.], &Device::Cpu)?;").seconds
            code = "let y{0} = (&x + {0}.0)?;\nprintln!(\"{{y{0}}}\");"
            later = sorted(session.run(code.format(number)).seconds for number in range(5))
            equal(reserve.poll(), None, "whether a lesson's kernel is the one in reserve")
        for ready, loaded in first:
            print(f"  with reserve: kernel {ready:.1f} s, first cell {loaded:.1f} s more")
        print(f"  next cell {use:.1f} s, later cells {later[2]:.2f} s ({later[0]:.2f} to {later[-1]:.2f})")
        until(lambda: reserve.poll() is not None, "the reserve's end together with the lesson's", 60)
    finally:
        del os.environ["TOALIGN_LAB_SERVER"]
        reserve.terminate()
        reserve.wait()


def until(condition: Callable[[], bool], what: str, seconds: float) -> None:
    """Waits for something, and fails if it does not happen in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"expected {what} within {seconds} s, found none")
        time.sleep(0.1)


TESTS = [gradients_cross_cells, failures_are_short, two_at_once, stops, pictures_show, reserves_serve]


def main() -> None:
    """Runs the tests that the command line names, or all."""
    named = [test for test in TESTS if test.__name__ in sys.argv[1:]]
    failed = 0
    for test in named or TESTS:
        begun = time.monotonic()
        try:
            test()
            print(f"ok      {test.__name__} ({time.monotonic() - begun:.0f} s)", flush=True)
        except AssertionError as error:
            failed += 1
            print(f"FAILED  {test.__name__}: {error}", flush=True)
    if failed:
        sys.exit(f"lab: {failed} of {len(named or TESTS)} tests of the kernel failed (above).")


if __name__ == "__main__":
    main()
