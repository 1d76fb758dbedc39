"""The playbook "AWS EC2 exported as VM", phase by phase. The written one is PLAYBOOK.md beside this file."""

from __future__ import annotations

from functools import partial

from prefect import flow

from decisions.findings import Verdict
from flows.agreement import agree_and_carry_out
from flows.results import RESULTS
from flows.vm_export.containment import contain, destroy
from flows.vm_export.eradication import eradicate
from flows.vm_export.investigation import investigate
from flows.vm_export.planning import propose
from flows.vm_export.post_incident import Closure, post_incident
from flows.vm_export.recovery import recover
from flows.vm_export.triage import triage
from flows.write_back import write_back


@flow(name="vm-export", flow_run_name="{case_id}", persist_result=True, result_serializer=RESULTS)
async def vm_export(case_id: str) -> Closure:
    """Respond to one case. Gates suspend the run; a resumed run reads finished phases back.

    Exports that join too late to be dealt with are responded to in another round before the case is closed.
    """
    while True:
        await write_back(case_id)
        await triage(case_id)
        await write_back(case_id)
        findings = await investigate(case_id)
        await write_back(case_id)
        if findings.verdict is not Verdict.EXPECTED:
            await agree_and_carry_out(partial(propose, case_id, "containment"), contain)
            await agree_and_carry_out(partial(propose, case_id, "destruction"), destroy)
            await agree_and_carry_out(partial(propose, case_id, "eradication"), eradicate)
            await agree_and_carry_out(partial(propose, case_id, "recovery"), recover)
        closure = await post_incident(case_id)
        await write_back(case_id)
        if closure.closed:
            return closure
