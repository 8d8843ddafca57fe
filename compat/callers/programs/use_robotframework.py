"""Run a suite whose keywords are a remote library's."""

import os
import sys
import tempfile

import robot

SUITE = """*** Settings ***
Library    Remote    %s    timeout=30s

*** Test Cases ***
Values Come Back
    ${items} =    Give Back    one    ${2}    ${3.5}    Å    key=value
    Log To Console    ${items}
    FOR    ${n}    IN RANGE    20
        Give Back    ${n}
    END

Binary And Large
    ${bytes} =    Evaluate    bytes(range(256)) * 400
    ${items} =    Give Back    ${bytes}
    Should Be Equal    ${items}[0]    ${bytes}

A Failure Is Told
    Fail Now    luck
"""
with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    with open("suite.robot", "w") as suite:
        suite.write(SUITE % sys.argv[1])
    print(
        robot.run_cli(
            [
                "--output",
                "NONE",
                "--log",
                "NONE",
                "--report",
                "NONE",
                "--stderr" if 0 else "--consolecolors",
                "off",
                "suite.robot",
            ],
            exit=False,
        )
    )
    os.chdir("/")
