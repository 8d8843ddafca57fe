"""A fork while another thread holds the locks of a run: in the child they are free."""

import threading

from hyperlite.many.budget import Budget
from hyperlite.many.workers import Workers
from tests.http1.test_forked_locks import PATIENCE, check_in_child, hold, over, pytestmark

__all__ = ["over", "pytestmark"]


def test_a_fork_while_another_thread_holds_the_locks(over: threading.Event) -> None:
    workers, budget = Workers(1, lambda: None), Budget(1, lambda: None)
    tasks = [hold(workers._changed, over), hold(budget._lock, over)]

    def check() -> None:
        budget.charge(0, 1)
        done = threading.Event()
        workers.run(done.set, lambda _result, _error: None)
        assert done.wait(PATIENCE)

    check_in_child(check)
    over.set()
    for task in tasks:
        task.result()
