"""`vmexport doctor`: what is wrong is a problem with a next step; what nobody configured is never an ok."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from prefect.testing.utilities import prefect_test_harness

from cli.checks import aws, logs, orchestration
from cli.checks.check import Result, length, side_by_side
from lab.kibana import serve
from settings import elastic as elastic_settings
from settings import receiver as receiver_settings
from tests.lab.aws import PRODUCTION
from tests.tasks.conftest import DEVELOPMENT, forget_settings, lab, lab_process, ours, roots

__all__ = ["lab", "lab_process", "ours", "roots"]

SECRET = "the-receivers-shared-secret"


def forget_all():
    forget_settings()
    for read in (elastic_settings.elasticsearch, elastic_settings.kibana, receiver_settings.receiver):
        read.cache_clear()


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    """Nothing is configured, and no Prefect server is found."""
    for name in [n for n in os.environ if n.startswith(("VMEXPORT_", "AWS_")) and "_TEST_" not in n]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    forget_all()
    yield
    forget_all()


def told(vmexport):
    answer = vmexport("doctor", "--json")
    return answer, {check["name"]: check for check in json.loads(answer.out)}


def test_nothing_configured_is_said_as_such_and_never_as_ok(vmexport, monkeypatch, tmp_path):
    monkeypatch.setenv("VMEXPORT_HOME", str(tmp_path))
    monkeypatch.setenv("VMEXPORT_ORGANIZATION", str(tmp_path / "absent.toml"))
    forget_all()
    answer, checks = told(vmexport)
    assert answer.code == 1
    for name in ("Elasticsearch", "Kibana", "Trino", "Athena", "CloudTrail files", "access log files"):
        assert checks[name]["result"] == "not configured"
    for name in ("organization.toml", "database", "receiver secret", "Prefect", "AWS"):
        assert checks[name]["result"] == "problem"
    assert [check for check in checks.values() if check["result"] == "ok"] == [checks["settings"]]


def test_everything_that_is_not_ok_has_a_next_step(vmexport, monkeypatch, tmp_path):
    monkeypatch.setenv("VMEXPORT_HOME", str(tmp_path))
    _, checks = told(vmexport)
    assert [name for name, check in checks.items() if check["result"] != "ok" and not check["next_step"]] == []


def test_a_person_reads_a_line_a_check_and_a_sum_of_them(vmexport, monkeypatch, tmp_path):
    monkeypatch.setenv("VMEXPORT_HOME", str(tmp_path))
    answer = vmexport("doctor")
    assert answer.code == 1
    assert "problem         database: " in answer.out
    assert answer.out.count("\n") > 10
    assert " problem, " in answer.err


def test_a_misspelt_variable_is_named_and_a_wrong_one_does_not_show_its_value(vmexport, monkeypatch):
    monkeypatch.setenv("VMEXPORT_ELASTICSEARCH_APIKEY", "sesame-open")
    monkeypatch.setenv("VMEXPORT_DATABASE_POOL", "sesame-close")
    monkeypatch.setenv("VMEXPORT_RECEIVER_SECRET", "short")
    forget_all()
    answer = vmexport("doctor")
    assert "nothing reads VMEXPORT_ELASTICSEARCH_APIKEY" in answer.out
    assert "VMEXPORT_DATABASE_POOL cannot be used" in answer.out
    assert "sesame" not in answer.out + answer.err
    assert "short" not in answer.out.replace("shorter", "")


def test_a_database_of_this_release_is_ok_and_an_old_one_a_problem(vmexport, database):
    _, checks = told(vmexport)
    assert checks["database"]["result"] == "ok"
    assert checks["clock"]["result"] == "ok"
    from sqlalchemy import text

    from records.database import transaction

    with transaction() as connection:
        connection.execute(text("update alembic_version set version_num = 'v0000'"))
    _, checks = told(vmexport)
    assert checks["database"]["result"] == "problem"
    assert "migrate" in checks["database"]["next_step"]


@pytest.fixture
def in_aws(bare, ours):
    """After the bare environment: the lab as our organisation."""
    return ours


def test_each_account_has_its_own_line(vmexport, in_aws):
    in_aws[DEVELOPMENT].client("iam").delete_role_policy(
        RoleName="vmexport-read",
        PolicyName=in_aws[DEVELOPMENT].client("iam").list_role_policies(RoleName="vmexport-read")["PolicyNames"][0],
    )
    in_aws[DEVELOPMENT].client("iam").delete_role(RoleName="vmexport-read")
    _, checks = told(vmexport)
    assert checks["AWS base credentials"]["sentence"].endswith("user/vmexport-hub")
    assert checks[f"AWS {PRODUCTION} production"]["result"] == "ok"
    assert checks[f"AWS {DEVELOPMENT} development"]["result"] == "problem"
    assert "could not be assumed" in checks[f"AWS {DEVELOPMENT} development"]["sentence"]


def test_wrong_base_credentials_are_a_problem_and_none_are_not_configured(vmexport, in_aws, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    forget_all()
    assert told(vmexport)[1]["AWS base credentials"]["result"] == "problem"
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    forget_all()
    assert told(vmexport)[1]["AWS base credentials"]["result"] == "not configured"


@pytest.mark.parametrize(("minutes", "result"), [(0, Result.OK), (3, Result.PROBLEM), (-3, Result.PROBLEM)])
def test_a_clock_that_is_not_awss_is_a_problem(minutes, result):
    (check,) = aws.clock(format_datetime(datetime.now(UTC) + timedelta(minutes=minutes), usegmt=True))
    assert check.result is result


def test_a_date_that_cannot_be_read_is_no_ok():
    assert [check.result for check in aws.clock(None)] == [Result.WARNING]


def test_the_age_of_log_files_is_that_of_the_newest(vmexport, monkeypatch, tmp_path):
    old, new = (
        tmp_path / "AWSLogs/o-x/1/CloudTrail/us-east-1/2026/01/09",
        tmp_path / "AWSLogs/o-x/1/CloudTrail/us-east-1/2026/02/01",
    )
    for folder, days in ((old, 30), (new, 3)):
        folder.mkdir(parents=True)
        (folder / "a.json.gz").touch()
        os.utime(folder / "a.json.gz", (time.time() - days * 86400,) * 2)
    monkeypatch.setenv("VMEXPORT_CLOUDTRAIL_DIR", str(tmp_path))
    monkeypatch.setenv("VMEXPORT_S3_ACCESS_LOGS_DIR", str(tmp_path / "absent"))
    forget_all()
    _, checks = told(vmexport)
    assert checks["CloudTrail files"]["result"] == "warning"
    assert "3 days ago" in checks["CloudTrail files"]["sentence"]
    assert checks["access log files"]["result"] == "problem"
    (new / "b.json.gz").touch()
    assert told(vmexport)[1]["CloudTrail files"]["result"] == "ok"


def test_an_empty_folder_holds_no_logs(tmp_path):
    assert logs.newest(tmp_path) == logs.NEVER


def test_kibana_is_looked_at_by_space(vmexport, monkeypatch):
    with serve("production") as kibana:
        for name, value in {
            "VMEXPORT_KIBANA_URL": kibana.url,
            "VMEXPORT_KIBANA_API_KEY": kibana.state.api_key,
            "VMEXPORT_ELASTICSEARCH_SPACES": "production",
            "VMEXPORT_RECEIVER_PUBLIC_URL": "https://vmexport.example.com",
            "VMEXPORT_RECEIVER_SECRET": SECRET,
        }.items():
            monkeypatch.setenv(name, value)
        forget_all()
        rule = "rule vmexport-vm-export-any-outcome in space production"
        assert told(vmexport)[1][rule]["result"] == "problem"
        assert vmexport("elastic", "apply").code == 0
        answer, checks = told(vmexport)
        assert checks[rule]["result"] == "ok"
        assert checks["connector vmexport receiver in space production"]["result"] == "ok"
        assert SECRET not in answer.out + answer.err
        kibana.state.rules.rules["production", "vmexport-vm-export-any-outcome"]["enabled"] = False
        assert told(vmexport)[1]["rule in space production"]["result"] == "problem"
        monkeypatch.setenv("VMEXPORT_KIBANA_API_KEY", "d3Jvbmc=")
        forget_all()
        assert "401" in told(vmexport)[1]["Kibana"]["sentence"]


def test_an_elasticsearch_that_does_not_answer_is_one_problem(vmexport, monkeypatch):
    monkeypatch.setenv("VMEXPORT_ELASTICSEARCH_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("VMEXPORT_ELASTICSEARCH_RETRIES", "0")
    forget_all()
    assert told(vmexport)[1]["Elasticsearch"]["result"] == "problem"


@pytest.fixture(scope="module")
def prefect_server():
    with prefect_test_harness(server_startup_timeout=60):
        yield


@pytest.mark.prefect
def test_a_prefect_server_without_our_things_says_so(prefect_server, monkeypatch):
    monkeypatch.delenv("PREFECT_API_URL")
    checks = {check.name: check for check in orchestration.prefect()}
    assert checks["Prefect"].result is Result.OK
    assert checks["deployments"].result is Result.PROBLEM
    assert "respond" in checks["deployments"].sentence
    assert "no work pool vm-export" in checks["worker"].sentence
    settings = [check for check in orchestration.prefect() if check.name == "Prefect settings"]
    assert any("PREFECT_RESULTS_DEFAULT_SERIALIZER is pickle" in check.sentence for check in settings)


@pytest.mark.parametrize(
    ("value", "wanted", "good"),
    [
        ("P1Y", "P365D", True),
        ("P2Y", "P365D", True),
        ("P7D", "P365D", False),
        (1.0, "1", True),
        (10.0, "1", False),
        ("json", "json", True),
        ("pickle", "json", False),
    ],
)
def test_a_setting_fits_by_its_meaning(value, wanted, good):
    assert orchestration.fits(value, wanted) is good


def test_what_takes_too_long_keeps_nobody_waiting():
    began = time.monotonic()
    answers = side_by_side({"slow": lambda: time.sleep(30), "quick": lambda: 1, "bad": lambda: 1 / 0}, seconds=0.2)
    assert time.monotonic() - began < 5
    assert (answers["slow"], answers["quick"]) == (None, 1)
    assert isinstance(answers["bad"], ZeroDivisionError)


@pytest.mark.parametrize(
    ("minutes", "text"), [(0.2, "less than a minute"), (7, "7 min"), (150, "2 h"), (60 * 24 * 3, "3 days")]
)
def test_durations_are_for_people(minutes, text):
    assert length(timedelta(minutes=minutes)) == text
