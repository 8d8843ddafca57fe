"""botocore: objects in a bucket, which it sends behind `Expect: 100-continue`."""

import io
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError


def call(options: dict[str, Any]) -> dict[str, Any]:
    """Make a bucket of the name that the options give, use it, and remove it."""
    s3 = botocore.session.get_session().create_client(
        "s3",
        region_name="us-east-1",
        endpoint_url=options["url"],
        verify=options["ca_file"],
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0}),
    )
    bucket = options["bucket"]
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="bytes", Body=b"small")
    s3.put_object(Bucket=bucket, Key="file", Body=io.BytesIO(b"f" * 3_000_000))
    body = s3.get_object(Bucket=bucket, Key="file")["Body"]
    size = sum(len(piece) for piece in body.iter_chunks(65536))
    small = s3.get_object(Bucket=bucket, Key="bytes")["Body"].read().decode()
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    for key in keys:
        s3.delete_object(Bucket=bucket, Key=key)
    s3.delete_bucket(Bucket=bucket)
    try:
        s3.get_object(Bucket=bucket, Key="bytes")
        missing = None
    except ClientError as error:
        missing = error.response["Error"]["Code"]
    s3.close()
    return {"keys": keys, "small": small, "size": size, "missing": missing}
