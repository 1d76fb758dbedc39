"""The rules that engines are compared by: our pack, SigmaHQ's where it lies beside us, and one of traps."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from decisions.sigma import Loaded, load_rules
from tasks.hunting.fixtures import PACK, load

TRAPS = """
cased:            {userAgent|cased|contains: 'Aws'}
percent:          {userAgent|contains: '100%_\\\\'}
under:            {requestParameters.name: 'a_b%c?d'}
question:         {requestParameters.name: 'a?c*'}
quote:            {requestParameters.name|startswith: "it's"}
newline:          {errorMessage|endswith: "x\\ny"}
dotless:          {requestParameters.name: 'Kiki'}
empty:            {requestParameters.name: ''}
null_field:       {requestParameters.name: null, eventName: Trap}
null_or:          {requestParameters.name: [null, 'some']}
gone:             {requestParameters.list.name|exists: false, eventName: Trap}
there:            {requestParameters.list.name|exists: true}
number:           {requestParameters.port: 3389}
truth:            {requestParameters.public: true, readOnly: false}
dashed:           {requestParameters.x-amz-grant-write|contains: 'id='}
dotted:           {requestParameters.a\\.b: c}
spaced:           {requestParameters.a b: c}
starred:          {'requestParameters.a*b': c}
policy:           {requestParameters|contains|all: ['"s3:GetObject"', 'Allow']}
listed:           {requestParameters.items.groups.id|contains|all: [sg-1, sg-2]}
resource:         {resources.ARN|endswith: /key}
expression:       {requestParameters.name|re: '^(ex|im)port-[\\w.]{3,5}$'}
expression_i:     {requestParameters.name|re|i: 'ki[k-m]i|\\d{2}\\s$'}
expression_dot:   {requestParameters.name|re|s: 'a.b'}
expression_not:   {requestParameters.name|re: '^[^/?]+$'}
network:          {sourceIPAddress|cidr: 203.0.113.0/25}
networks:         {requestParameters.cidr|cidr: [198.51.100.64/27, 10.0.0.0/7]}
network_six:      {sourceIPAddress|cidr: '2001:db8::/33'}
network_all:      {sourceIPAddress|cidr: '0.0.0.0/0'}
more:             {requestParameters.size|gte: 10.5}
less:             {additionalEventData.bytesTransferredOut|lt: 1024}
same:             {requestParameters.name|fieldref: userIdentity.arn}
same_start:       {userIdentity.arn|fieldref|startswith: requestParameters.name}
same_in:          {userIdentity.arn|contains|fieldref: requestParameters.list.name}
other_kind:       {serviceEventDetails.x.y: z, tlsDetails.tlsVersion: TLSv1.2, annotation.text|contains: q}
wild_name:        {eventName: 'Put*Policy?'}
"""
"""One selection each; the rule is the selection, and its negation is another rule."""

OTHERS = """
title: a keyword
id: keyword
logsource: {product: aws}
detection: {words: [needle, 'sp?k'], condition: words}
---
title: keywords, all
id: keyword-all
logsource: {product: aws}
detection: {words: {'|all': [needle, thread]}, not_here: {eventName: Trap}, condition: words and not not_here}
---
title: no keyword
id: keyword-not
logsource: {product: aws}
detection: {words: [needle], condition: not words}
---
title: combined
id: combined
logsource: {product: aws}
detection:
  sel_a: {eventName: [A, B]}
  sel_b: [{eventSource: x.amazonaws.com, awsRegion|startswith: eu-}, {errorCode|exists: true}]
  flt: {userIdentity.type: Root}
  _hidden: {eventName: never}
  condition: (1 of sel_* and not flt) or all of sel_*
"""


def traps() -> Loaded:
    """Rules that are each one trap, and their negations."""
    texts = {"others.yml": OTHERS}
    for line in TRAPS.strip().splitlines():
        name, _, selection = line.partition(":")
        for kind, condition in (("", "sel"), ("-not", "not sel")):
            head = f"title: {name}{kind}\nid: {name}{kind}\nlogsource: {{product: aws, service: cloudtrail}}\n"
            texts[f"{name}{kind}.yml"] = f"{head}detection:\n  sel: {selection.strip()}\n  condition: {condition}\n"
    return load_rules(texts)


def sigmahq() -> Loaded:
    """SigmaHQ's rules for CloudTrail; skips where they are not."""
    folder = Path(os.environ.get("VMEXPORT_TEST_DATA") or PACK.parent.parent / "shared" / "data") / "sigmahq-aws"
    if not folder.is_dir():
        pytest.skip(f"SigmaHQ's rules are not in {folder}: set VMEXPORT_TEST_DATA")
    return load(folder)


PACKS = {"traps": traps, "ours": load, "sigmahq": sigmahq}
