"""Quotas of EC2, which moto does not have: 64 vCPUs of each family, unless a test has set another number for a region."""

from moto.servicequotas.models import ServiceQuotasBackend

EC2 = {"L-1216C47A", "L-34B43A08", "L-DB2E81BA", "L-3819A6DF", "L-417A185B", "L-7212CCBC"}
limits: dict[str, float] = {}
moto_get_service_quota = ServiceQuotasBackend.get_service_quota


def get_service_quota(self, service_code, quota_code):
    """As Service Quotas answers."""
    if service_code == "ec2" and quota_code in EC2:
        value = limits.get(f"{self.region_name}/{quota_code}", 64.0)
        return {"ServiceCode": "ec2", "QuotaCode": quota_code, "Value": value, "Adjustable": True, "GlobalQuota": False}
    return moto_get_service_quota(self, service_code, quota_code)


ServiceQuotasBackend.get_service_quota = get_service_quota
