#!/usr/bin/env python3
"""Flower's SecAgg+ on this machine, for comparison with `cargo bench -p tacita-benches --bench unmask`.

Runs Flower's own client mod (`secaggplus_mod`) and its own server workflow (`SecAggPlusWorkflow`) for one round in one
process: no network, no training, the real masks, shares and unmasking. Members vanish before they send their masked
vector, the dearest moment, as in our bench.

    python3 -m venv flower-venv && flower-venv/bin/pip install flwr==1.41
    flower-venv/bin/python benches/compare/flower_secagg.py --clients 100 --dimension 1000000 --neighbours 32 --drop 10

Prints a line of JSON: seconds of one client (mean), and of the server from the first answer of the last stage to the
sum, with the peak memory of the process.
"""

import argparse
import json
import logging
import resource
import time

import numpy as np
from flwr.app import Context, Message, RecordDict
from flwr.client.mod.secure_aggregation.secaggplus_mod import secaggplus_mod
from flwr.common import Code, FitRes, Status, bytes_to_ndarray, ndarrays_to_parameters
from flwr.compat.common import recorddict_compat as compat
from flwr.common.secure_aggregation.secaggplus_constants import RECORD_KEY_CONFIGS, Key, Stage
from flwr.server.client_manager import SimpleClientManager
from flwr.server.compat.legacy_context import LegacyContext
from flwr.server.server_config import ServerConfig
from flwr.server.strategy import FedAvg
from flwr.server.workflow.constant import MAIN_CONFIGS_RECORD, MAIN_PARAMS_RECORD
from flwr.server.workflow.constant import Key as WorkflowKey
from flwr.server.workflow.secure_aggregation.secaggplus_workflow import SecAggPlusWorkflow
from flwr.app import ConfigRecord
from flwr.server.client_proxy import ClientProxy
from flwr.supercore.task_identity import TaskIdentity


class Proxy(ClientProxy):
    """A name for a node; messages go through the grid."""

    def __init__(self, node_id: int):
        super().__init__(cid=str(node_id))
        self.node_id = node_id

    def get_properties(self, ins, timeout, group_id):
        raise NotImplementedError

    def get_parameters(self, ins, timeout, group_id):
        raise NotImplementedError

    def fit(self, ins, timeout, group_id):
        raise NotImplementedError

    def evaluate(self, ins, timeout, group_id):
        raise NotImplementedError

    def reconnect(self, ins, timeout, group_id):
        raise NotImplementedError


class Loopback:
    """A grid whose nodes are function calls of this process."""

    def __init__(self, vectors, vanish):
        self.vectors = vectors
        self.vanish = vanish
        self.contexts = {
            node: Context(run_id=1, node_id=node, node_config={}, state=RecordDict(), run_config={})
            for node in vectors
        }
        self.client_seconds = 0.0
        self.answered = 0.0

    def send_and_receive(self, messages, *, timeout=None):
        stage = None
        answers = []
        for message in messages:
            node = message.metadata.dst_node_id
            stage = message.content.config_records[RECORD_KEY_CONFIGS][Key.STAGE]
            if stage == Stage.COLLECT_MASKED_VECTORS and node in self.vanish:
                continue
            # Every node gets a message of its own, as over a network.
            own = Message(
                content=RecordDict({name: copied(record) for name, record in message.content.items()}),
                dst_node_id=node,
                message_type=message.metadata.message_type,
                group_id=message.metadata.group_id,
            )
            began = time.perf_counter()
            answer = secaggplus_mod(own, self.contexts[node], lambda msg, ctx: self.fit(msg, node))
            self.client_seconds += time.perf_counter() - began
            answers.append(answer)
        self.answered = time.perf_counter()
        return answers

    def fit(self, message, node):
        result = FitRes(
            status=Status(Code.OK, ""),
            parameters=ndarrays_to_parameters([self.vectors[node]]),
            num_examples=1,
            metrics={},
        )
        return Message(compat.fitres_to_recorddict(result, keep_input=False), reply_to=message)


def copied(record):
    return record.copy() if hasattr(record, "copy") else record


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--dimension", type=int, default=1_000_000)
    parser.add_argument("--neighbours", type=int, default=32)
    parser.add_argument("--threshold", type=int, default=22, help="ours for k = 32 and c = 10")
    parser.add_argument("--drop", type=int, default=10)
    args = parser.parse_args()
    logging.getLogger("flwr").setLevel(logging.WARNING)

    # Who this process is: Flower asks when it makes a message.
    TaskIdentity.task_id = TaskIdentity.run_id = TaskIdentity.node_id = 1

    random = np.random.default_rng(1)
    nodes = list(range(1, args.clients + 1))
    base = random.uniform(-1, 1, args.dimension).astype(np.float32)
    vectors = {node: base * np.float32(node / args.clients) for node in nodes}
    vanish = set(nodes[len(nodes) - args.drop :])
    grid = Loopback(vectors, vanish)

    manager = SimpleClientManager()
    for node in nodes:
        manager.register(Proxy(node))
    strategy = FedAvg(fraction_fit=1.0, min_fit_clients=args.clients, min_available_clients=args.clients)
    context = LegacyContext(
        context=Context(run_id=1, node_id=0, node_config={}, state=RecordDict(), run_config={}),
        config=ServerConfig(num_rounds=1),
        strategy=strategy,
        client_manager=manager,
    )
    context.state.config_records[MAIN_CONFIGS_RECORD] = ConfigRecord({WorkflowKey.CURRENT_ROUND: 1})
    context.state.array_records[MAIN_PARAMS_RECORD] = compat.parameters_to_arrayrecord(
        ndarrays_to_parameters([np.zeros(args.dimension, dtype=np.float32)]), keep_input=True
    )
    # Flower counts a member among its own holders: 33 shares are 32 neighbours.
    workflow = SecAggPlusWorkflow(args.neighbours + 1, args.threshold)
    began = time.perf_counter()
    workflow(grid, context)
    ended = time.perf_counter()
    got = compat.arrayrecord_to_parameters(context.state.array_records[MAIN_PARAMS_RECORD], keep_input=True)
    mean = bytes_to_ndarray(got.tensors[0])
    staying = [vectors[node] for node in nodes if node not in vanish]
    expected = np.mean(staying, axis=0)
    error = float(np.abs(mean - expected).max())
    print(
        json.dumps(
            {
                "system": "flower 1.41 SecAgg+",
                "clients": args.clients,
                "dimension": args.dimension,
                "neighbours": args.neighbours,
                "dropped": args.drop,
                "client_seconds": round(grid.client_seconds / args.clients, 3),
                "server_unmask_seconds": round(ended - grid.answered, 3),
                "round_seconds": round(ended - began, 3),
                "largest_error": error,
                "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            }
        )
    )


if __name__ == "__main__":
    main()
