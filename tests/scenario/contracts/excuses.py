# SPDX-License-Identifier: Apache-2.0
"""What prism complains about though the call is right, and what Weir refuses rightly: each with whose fault it is and why. An excuse that no longer applies
fails the test."""
import re


class Excuse:
    """For calls (a pattern of "METHOD /path (type)") of documents (a pattern) about which these words (a pattern) are said."""

    def __init__(self, document, call, words, fault, why):
        self.document, self.call, self.words, self.fault, self.why = document, call, words, fault, why

    def is_of(self, name):
        return re.search(self.document, name) is not None

    def fits(self, name, call, words):
        return self.is_of(name) and re.search(self.call, call) is not None and re.search(self.words, words, re.S) is not None


TABLE = [
    # documents that prism does not serve
    Excuse(r"xero-webhooks|zenoti", "^$", r"No operations found", "document", "it has no operations"),
    Excuse(r"intercom\.io\.yaml|all-the-components|xsoar", "^$", r"does not exist", "document", "one of its references leads to nothing"),
    Excuse(r"badref-burgershop|vendor-extensions-test", "^$", r"refers to another document", "document", "prism would fetch what it refers to"),
    # requests that prism takes and cannot answer
    Excuse("", "", r"^(SCHEMA_TOO_COMPLEX|NO_COMPLEX_OBJECT_TEXT|NOT_ACCEPTABLE|UNKNOWN): ", "prism", "prism accepts the request and cannot make an answer"),
    # refused by Weir
    Excuse(r"cognitiveservices-Ocr", r"#overload=stream", r'query path has no "\?" or "#"', "document", "a path with a fragment tells two operations apart that are one request"),
    # violations that are none
    Excuse(r"clever-cloud", r"^GET //openapi", r"NO_PATH_MATCHED_ERROR", "prism", "prism takes what follows // at the beginning of a path for a host"),
    Excuse(r"exude|twilio|daniweb", r"multipart|urlencoded", r"must be array", "prism", "of pairs and parts of one name, which are a list in OpenAPI, prism keeps the last"),
    Excuse(r"daniweb", r"\{ID\}", r"^prism fell over", "prism", "prism falls over lists in a path, whose items stand between commas"),
    Excuse(r"britbox", r"/itv/", r"body must be string", "prism", "what stands beside a $ref is ignored before OpenAPI 3.1; prism heeds it at the top of a body"),
    Excuse(r"gitea", r"text/plain", r"body must be object|^prism fell over", "document", "it declares an object as text/plain, which has no such form"),
    Excuse(r"TaxFactDataService", r"text/json", r"body must be", "prism", "prism does not read text/json as JSON"),
    Excuse(r"TaxFactDataService", r"multipart", r"Reserved characters", "prism", "prism holds the parts of multipart against the rules of URL encoding"),
    Excuse(r"petstorev2", r"xml", r"body must be object", "prism", "prism does not read XML"),
]


def find(name, call, words, used):
    for excuse in TABLE:
        if excuse.fits(name, call, words):
            used.add(excuse)
            return excuse
    return None
